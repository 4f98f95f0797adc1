import copy
import math

import pytest
import torch
from feature_maps import error, maps_of
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.compiled import convolution
from roco.networks.compiled.calls import takes
from roco.networks.compiled.convolution import can_convolve
from roco.networks.compiled.layers import FusedSequential
from roco.networks.compiled.library import library

BF16 = torch.bfloat16
NEEDS_KERNEL = pytest.mark.skipif(
    not takes("weight_gradient", maps_of((1, 8, 3, 3), BF16)),
    reason="there is no C compiler on this machine, or its processor does not multiply bfloat16",
)


def convolution_of(inputs: int, outputs: int) -> nn.Conv2d:
    torch.manual_seed(1)
    module = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def gradients(module: nn.Module, images: Tensor, slope: Tensor) -> list[Tensor]:
    """The result, and the gradients of images and weight."""
    own = images.detach().clone(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", dtype=BF16):
        result = module(own)
    return [result, *torch.autograd.grad(result, [own, *module.parameters()], slope)]


# Odd and even numbers of images, one pixel, more pixels than are copied at once, channels that fill no register.
SHAPES = [
    ((128, 16, 30, 30), 16),
    ((5, 32, 15, 15), 32),
    ((3, 64, 7, 7), 64),
    ((1, 8, 1, 1), 8),
    ((2, 9, 1, 6), 17),
    ((7, 48, 8, 8), 12),
    ((1, 24, 40, 33), 40),
    ((300, 8, 2, 3), 25),
]


@NEEDS_KERNEL
@pytest.mark.parametrize(("shape", "outputs"), SHAPES, ids=str)
def test_it_is_what_torch_computes(shape: tuple[int, int, int, int], outputs: int) -> None:
    module, images = convolution_of(shape[1], outputs), maps_of(shape, BF16, mean=0.5)
    slope = maps_of((shape[0], outputs, *shape[2:]), BF16, mean=0.1).flip(0)
    assert can_convolve_in_autocast(module, images)
    found, of_images, of_weight = gradients(FusedSequential(module), images, slope)
    torch_s, torch_of_images, _ = gradients(module, images, slope)
    assert torch.equal(found, torch_s)
    assert torch.equal(of_images, torch_of_images)
    exact = copy.deepcopy(module).double()
    [wanted] = torch.autograd.grad(exact(images.double()), [exact.weight], slope.double())
    assert of_weight.dtype is torch.float32
    # Sums of float32: far closer than bfloat16, which torch rounds them to.
    assert error(of_weight, wanted) < 1e-5
    assert of_weight.is_contiguous(memory_format=torch.channels_last)


def can_convolve_in_autocast(module: nn.Module, images: Tensor) -> bool:
    with torch.autocast("cpu", dtype=BF16):
        return can_convolve(module, images)


@NEEDS_KERNEL
def test_the_images_need_no_gradient() -> None:
    module, images = convolution_of(8, 8), maps_of((4, 8, 5, 5), BF16)
    with torch.autocast("cpu", dtype=BF16):
        result = FusedSequential(module)(images)
    result.sum().backward()
    assert module.weight.grad is not None
    assert module.weight.grad.abs().sum() > 0


@NEEDS_KERNEL
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_is_not_hidden(value: float) -> None:
    images = maps_of((3, 16, 4, 4), BF16)
    images[2, 5, 1, 1] = value
    slope = maps_of((3, 16, 4, 4), BF16)
    _, _, of_weight = gradients(FusedSequential(convolution_of(16, 16)), images, slope)
    assert (~of_weight.isfinite()).any(dim=(0, 2, 3)).tolist() == [channel == 5 for channel in range(16)]


@NEEDS_KERNEL
@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(8, 8, 3, bias=False),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(8, 8, 3, padding=1, stride=2, bias=False),
        nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular", bias=False),
        nn.Conv2d(8, 8, 1, bias=False),
        nn.Conv2d(8, 4, 3, padding=1, bias=False),
        nn.Conv2d(8, 8, 3, padding=1, bias=False).eval(),
        nn.Conv2d(8, 8, 3, padding=1, bias=False).to(BF16),
        nn.ReLU(),
    ],
    ids=str,
)
def test_other_modules_are_torch_s(module: nn.Module) -> None:
    images = maps_of((2, 8, 6, 6), BF16)
    assert not can_convolve_in_autocast(module, images)
    with torch.autocast("cpu", dtype=BF16):
        assert torch.equal(FusedSequential(module)(images), module(images))


@NEEDS_KERNEL
def test_other_numbers_are_torch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    module, images = convolution_of(8, 8), maps_of((2, 8, 6, 6), BF16)
    assert can_convolve_in_autocast(module, images)
    assert not can_convolve(module, images), "without autocast there is an error, which is torch's to give"
    assert not can_convolve_in_autocast(module, images.float())
    assert not can_convolve_in_autocast(module, images.contiguous())
    monkeypatch.setattr(convolution, "takes", lambda *_: False)
    assert not can_convolve_in_autocast(module, images)


@NEEDS_KERNEL
def test_training_with_it_is_training() -> None:
    """A few steps with the kernel and with torch's own end at the same weights, up to bfloat16's rounding."""
    images, ends = maps_of((16, 8, 6, 6), BF16), []
    for kind in (FusedSequential, nn.Sequential):
        module = convolution_of(8, 8)
        optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(5):
            with torch.autocast("cpu", dtype=BF16):
                loss = F.mse_loss(kind(module)(images).float(), images.float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        ends.append((module.weight.detach(), loss.item()))
    (weight, loss), (torch_s, torch_s_loss) = ends
    assert error(weight, torch_s) < 1e-2
    assert loss == pytest.approx(torch_s_loss, rel=1e-2)
    assert library() is not None
