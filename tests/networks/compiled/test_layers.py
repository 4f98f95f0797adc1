import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.compiled import layers as fused
from roco.networks.compiled.layers import FusedSequential, can_fuse, can_pool
from roco.networks.compiled.library import library

pytestmark = pytest.mark.skipif(library() is None, reason="there is no C compiler on this machine")

# From one channel to more than a row of the C code has, and positions that fill no row.
SHAPES = [
    (128, 16, 30, 30),
    (7, 1, 3, 5),
    (5, 3, 5, 7),
    (2, 300, 4, 4),
    (1, 64, 1, 2),
    (33, 12, 9, 9),
    (130, 256, 1, 1),
]


def maps_of(shape: tuple[int, ...], dtype: torch.dtype, *, mean: float = 3.0) -> Tensor:
    """Feature maps of a normal distribution with a standard deviation of 2, channels last."""
    generator = torch.Generator().manual_seed(0)
    maps = 2 * torch.randn(*shape, generator=generator) + mean
    return maps.to(dtype).contiguous(memory_format=torch.channels_last)


def error(actual: Tensor, wanted: Tensor) -> float:
    """Root of the mean square of the difference, over that of what is wanted."""
    actual, wanted = actual.detach().double(), wanted.detach().double()
    return float((actual - wanted).norm() / wanted.norm().clamp_min(1e-12))


def pair_of(channels: int) -> FusedSequential:
    torch.manual_seed(1)
    pair = FusedSequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
    nn.init.uniform_(pair[0].weight, -1, 2)  # type: ignore[arg-type]
    nn.init.normal_(pair[0].bias)  # type: ignore[arg-type]
    return pair


def exact(pair: nn.Sequential, maps: Tensor, slope: Tensor) -> tuple[nn.Sequential, Tensor, list[Tensor]]:
    """The modules' own work in float64: what both ways are held against."""
    modules = copy.deepcopy(pair).double()
    images = maps.double().requires_grad_()
    result = nn.Sequential(*modules)(images)
    return modules, result, list(torch.autograd.grad(result, [images, *modules.parameters()], slope.double()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_is_what_torch_computes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    pair, maps = pair_of(shape[1]), maps_of(shape, dtype)
    slope = maps_of(shape, dtype, mean=0.1).flip(0)
    modules, wanted, gradients = exact(pair, maps, slope)
    assert can_fuse(pair[0], maps)
    images = maps.clone(memory_format=torch.channels_last).requires_grad_()
    actual = pair(images)
    assert actual.dtype is dtype
    assert actual.is_contiguous(memory_format=torch.channels_last)
    bound = 1e-5 if dtype is torch.float32 else 4e-3
    assert error(actual, wanted) < bound
    own = torch.autograd.grad(actual, [images, *pair.parameters()], slope)
    # A value beside zero may be taken for positive here and for negative there.
    assert [error(*pair) for pair in zip(own, gradients, strict=True)] == pytest.approx([0] * 3, abs=3e-2)
    assert error(own[0], gradients[0]) < (2e-3 if dtype is torch.float32 else 3e-2)
    for name, value in modules.state_dict().items():
        assert error(pair.state_dict()[name], value) < 1e-5, name
    assert pair[0].num_batches_tracked == 1


@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_a_large_mean_cancels_nothing(mean: float) -> None:
    pair, maps = pair_of(4), maps_of((64, 4, 8, 8), torch.float32, mean=mean)
    _, wanted, _ = exact(pair, maps, torch.ones_like(maps))
    assert error(pair(maps), wanted) < (1e-3 if mean else 1e-6)


def test_its_gradient_is_that_of_small_steps() -> None:
    pair = pair_of(3)
    maps = maps_of((4, 3, 3, 3), torch.float32, mean=0)
    slope = torch.linspace(-1, 1, maps.numel()).view_as(maps).contiguous(memory_format=torch.channels_last)
    images = maps.clone(memory_format=torch.channels_last).requires_grad_()
    [gradient] = torch.autograd.grad(pair(images), [images], slope)
    modules = nn.Sequential(*copy.deepcopy(pair).double())
    for position in [(0, 0, 0, 0), (3, 2, 1, 2), (1, 1, 2, 0)]:
        ends = []
        for step in (-1e-5, 1e-5):
            moved = maps.double()
            moved[position] += step
            ends.append((modules(moved) * slope).sum().item())
        assert float(gradient[position]) == pytest.approx((ends[1] - ends[0]) / 2e-5, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_is_not_a_number_is_not_hidden(dtype: torch.dtype) -> None:
    maps = maps_of((4, 8, 3, 3), dtype)
    maps[1, 2, 0, 0] = math.nan
    images = maps.requires_grad_()
    result = pair_of(8)(images)
    assert result.isnan().any(dim=(0, 2, 3)).tolist() == [channel == 2 for channel in range(8)]
    [gradient] = torch.autograd.grad(result.sum(), images)
    assert gradient.isnan().any(dim=(0, 2, 3)).tolist() == [channel == 2 for channel in range(8)]
    endless = maps_of((4, 8, 3, 3), dtype)
    endless[1, 2, 0, 0] = math.inf
    assert pair_of(8)(endless)[:, 2].isnan().any()


def test_bf16_rounds_as_torch_does() -> None:
    maps = maps_of((8, 8, 8, 8), torch.bfloat16)
    pair = pair_of(8)
    actual = pair(maps)
    modules = nn.Sequential(*pair_of(8)).double()
    wanted = modules(maps.double())
    # Half a unit in the last of eight places, and what float32 adds to that.
    assert ((actual.double() - wanted).abs() <= wanted.abs() * 2**-8 + 1e-5).all()


def test_it_is_the_modules_own_work_where_it_cannot_be_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Tensor] = []
    real = fused.batch_norm_relu
    monkeypatch.setattr(fused, "batch_norm_relu", lambda module, images: calls.append(images) or real(module, images))
    maps = maps_of((4, 8, 6, 6), torch.float32)
    plain = nn.Sequential(*pair_of(8))
    pair_of(8)(maps)
    assert len(calls) == 1
    for unfit in (maps.contiguous(), maps[:1, :, :1, :1], maps.double()):
        pair = pair_of(8).double() if unfit.dtype is torch.float64 else pair_of(8)
        assert not can_fuse(pair[0], unfit)
    assert torch.equal(pair_of(8)(maps.contiguous()), nn.Sequential(*pair_of(8))(maps.contiguous()))
    assert torch.equal(pair_of(8).eval()(maps), plain.eval()(maps))
    without = FusedSequential(nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU())
    assert torch.equal(without(maps), F.relu(F.batch_norm(maps, None, None, without[0].weight, without[0].bias, True)))
    monkeypatch.setattr(fused, "library", lambda: None)
    assert torch.equal(pair_of(8)(maps), nn.Sequential(*pair_of(8))(maps))
    assert len(calls) == 1


def test_other_modules_stay_where_they_are() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.BatchNorm2d(8), nn.MaxPool2d(2), nn.ReLU()]
    maps = maps_of((16, 3, 8, 8), torch.float32)
    network = FusedSequential(*layers).to(memory_format=torch.channels_last)
    wanted = nn.Sequential(*copy.deepcopy(layers))(maps)
    assert torch.allclose(network(maps), wanted, atol=1e-5)
    assert list(network.state_dict()) == list(nn.Sequential(*layers).state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "shape", [(16, 16, 30, 30), (3, 5, 15, 15), (2, 7, 2, 3), (1, 1, 5, 2), (4, 70, 7, 6)], ids=str
)
def test_max_pooling_is_torch_s_to_the_bit(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    # Half are zeros, as after a ReLU, so that many are equal: the gradient goes to the first of them.
    maps = maps_of(shape, dtype, mean=0).relu()
    pooled, own = FusedSequential(nn.MaxPool2d(2)), maps.clone(memory_format=torch.channels_last).requires_grad_()
    assert can_pool(pooled[0], own)
    actual, wanted_from = pooled(own), maps.clone(memory_format=torch.channels_last).requires_grad_()
    wanted = F.max_pool2d(wanted_from, 2)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(actual, wanted)
    slope = maps_of(tuple(wanted.shape), dtype)
    assert torch.equal(*(torch.autograd.grad(*pair, slope)[0] for pair in ((actual, own), (wanted, wanted_from))))


@pytest.mark.parametrize("position", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_max_pooling_does_not_hide_what_is_not_a_number(position: tuple[int, int]) -> None:
    maps = maps_of((2, 3, 4, 4), torch.bfloat16)
    maps[1, 2, position[0], position[1]] = math.nan
    result = FusedSequential(nn.MaxPool2d(2))(maps)
    assert result.isnan().nonzero().tolist() == [[1, 2, 0, 0]]


@pytest.mark.parametrize(
    "module",
    [nn.MaxPool2d(3), nn.MaxPool2d(2, stride=1), nn.MaxPool2d(2, padding=1), nn.MaxPool2d(2, ceil_mode=True)],
    ids=str,
)
def test_other_pooling_is_torch_s(module: nn.MaxPool2d) -> None:
    maps = maps_of((2, 3, 7, 7), torch.float32)
    assert not can_pool(module, maps)
    assert torch.equal(FusedSequential(module)(maps), module(maps))
    assert not can_pool(nn.MaxPool2d(2).eval(), maps)
    assert not can_pool(nn.MaxPool2d(2), maps[:, :, :1])
