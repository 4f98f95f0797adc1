"""The Triton kernels against torch's operators, under Triton's interpreter; and that they compile for GPUs."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from genome_networks import networks_of, random_genomes
from torch import Tensor
from torch.nn import functional as F

from roco.space.complexity import NodeKind
from roco.training.stacks import fused, phases
from roco.training.stacks.stack import Stack

pytest.importorskip("triton", reason="needs Triton")
if torch.cuda.is_available():
    pytest.skip(
        "with a GPU, tests/training/stacks/test_training_on_gpu.py runs the kernels there", allow_module_level=True
    )

LABELS = torch.arange(6) % 3


@pytest.fixture
def fusing(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Lets stacks use the kernels on a CPU while the list says so."""
    on = [False]
    monkeypatch.setattr(phases, "can_fuse", lambda phase, maps: on[0])
    return on


def gradients_of(stack: Stack, *, images: Tensor) -> list[Tensor]:
    stack.train()
    logits = stack(images)
    losses = F.cross_entropy(logits.flatten(0, 1), LABELS.repeat_interleave(len(stack)), reduction="none")
    losses.sum().backward()
    assert stack.weights.grad is not None
    statistics = [buffer for name, buffer in stack.named_buffers() if "running" in name]
    return [logits.detach(), stack.weights.grad, *statistics]


@pytest.mark.parametrize(("node", "active", "count"), [("residual", 1, 1), ("residual", 2, 4), ("preactivation", 2, 4)])
def test_kernels_give_what_torch_gives(node: NodeKind, active: int, count: int, fusing: list[bool]) -> None:
    stack = Stack(networks_of(random_genomes(count, active=active, seed=1), channels=16, node=node))
    images = torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    exact = gradients_of(copy.deepcopy(stack).double(), images=images.double())
    fusing[0] = True
    actual = gradients_of(copy.deepcopy(stack), images=images)
    assert len(actual) == len(exact) > 4
    for values, expected in zip(actual, exact, strict=True):
        scale = expected.abs().max()
        torch.testing.assert_close(values.double() / scale, expected / scale, rtol=0, atol=2e-5)
    # What a network does not have has no gradient at all.
    assert torch.equal(actual[1] == 0, exact[1] == 0)


def test_the_gradient_of_own_images_needs_none_of_the_weights(fusing: list[bool]) -> None:
    stack = Stack(networks_of(random_genomes(2, active=2, seed=1), channels=16)).train()
    stack.weights.requires_grad_(False)
    images = torch.rand(6, 6, 12, 12, generator=torch.Generator().manual_seed(0))
    actual = []
    for fusing[0], each, own in ((True, copy.deepcopy(stack), images), (False, copy.deepcopy(stack).double(), images)):
        own = own.to(each.weights.dtype).requires_grad_()
        losses = F.cross_entropy(each(own).flatten(0, 1), LABELS.repeat_interleave(2), reduction="sum")
        actual.append(torch.autograd.grad(losses, own)[0].double())
    torch.testing.assert_close(actual[0] / actual[1].abs().max(), actual[1] / actual[1].abs().max(), rtol=0, atol=2e-5)


def test_half_precision_maps_are_summed_in_single_precision(fusing: list[bool]) -> None:
    # The interpreter multiplies float16 as GPUs do; bfloat16 it takes for whole numbers.
    stack = Stack(networks_of(random_genomes(3, active=1, seed=2), channels=16))
    [phase] = stack.phases
    start = torch.rand(6, 48, 9, 9, generator=torch.Generator().manual_seed(0))
    actual = {}
    for dtype in (torch.float16, torch.float64):
        again = copy.deepcopy(stack).to(dtype if dtype is torch.float64 else torch.float32).train()
        maps = start.to(dtype, memory_format=torch.channels_last, copy=True).requires_grad_()
        parts = again.layout.parts(again.weights)
        [phase] = again.phases
        phase.widen = torch.nn.Identity()  # type: ignore[assignment]
        if dtype is torch.float16:
            result = fused.fused_phase(phase, maps, parts)  # type: ignore[arg-type]
        else:
            phase.widen.forward = lambda maps, parts: maps  # type: ignore[method-assign]
            result = phase(maps, parts)
        assert result.dtype is dtype
        result.square().mean(dim=(0, 2, 3)).sum().backward()
        actual[dtype] = [result.detach().double(), maps.grad.double()]  # type: ignore[union-attr]
    for values, expected in zip(actual[torch.float16], actual[torch.float64], strict=True):
        # A value near zero may fall on the other side of the ReLU.
        assert float((values - expected).norm() / expected.norm()) < 0.05


def test_what_is_no_number_in_one_network_reaches_no_other(fusing: list[bool]) -> None:
    fusing[0] = True
    images = torch.rand(6, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    passes = []
    for broken in (False, True):
        networks = networks_of(random_genomes(3, active=1, seed=3), channels=16)
        if broken:
            torch.nn.init.constant_(networks[1].active_phases[0].widen.weight, float("nan"))  # type: ignore[arg-type]
        passes.append(gradients_of(Stack(networks), images=images))
    (logits, gradient, *_), (other_logits, other_gradient, *_) = passes
    assert other_logits[:, 1].isnan().all()
    for row in (0, 2):
        assert torch.equal(logits[:, row], other_logits[:, row])
        assert torch.equal(gradient[row], other_gradient[row])


@pytest.mark.parametrize(
    ("width", "dtype", "images", "takes"),
    [
        (128, torch.bfloat16, 128, True),
        (64, torch.float32, 128, True),
        # More shared memory than some GPUs have.
        (128, torch.float32, 128, False),
        (16, torch.float64, 128, False),
        # A width that matrix units do not take.
        (48, torch.bfloat16, 128, False),
        # More programs than a grid takes.
        (16, torch.bfloat16, 238, False),
        (16, torch.bfloat16, 237, True),
    ],
)
def test_kernels_are_used_for_maps_that_they_take(
    width: int, dtype: torch.dtype, images: int, takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "kernels", lambda device: fused)
    phase = SimpleNamespace(training=True, width=width)
    shape = torch.Size((images, width, 94, 94))
    maps = SimpleNamespace(is_cuda=True, dtype=dtype, device=None, shape=shape, numel=shape.numel)
    assert fused.can_fuse(phase, maps) is takes  # type: ignore[arg-type]
    maps.is_cuda = False
    assert not fused.can_fuse(phase, maps)  # type: ignore[arg-type]


@pytest.fixture
def untried() -> Iterator[None]:
    fused.kernels.cache_clear()
    yield
    fused.kernels.cache_clear()


def test_kernels_that_compute_nothing_are_not_used(
    untried: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cpu = torch.device("cpu")
    assert fused.kernels(cpu) is not None
    fused.kernels.cache_clear()
    monkeypatch.setattr("roco.training.stacks.kernels.moments", {(1, 1): lambda *_, **__: None})
    assert fused.kernels(cpu) is None
    assert "wrong sums" in caplog.text


def test_memory_that_ran_out_says_nothing_of_the_kernels(untried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(fused, "_try", full)
    with pytest.raises(torch.OutOfMemoryError):
        fused.kernels(torch.device("cpu"))
    monkeypatch.undo()
    assert fused.kernels(torch.device("cpu")) is not None


def test_kernels_compile_for_gpus_and_keep_their_numbers_in_registers() -> None:
    script = Path(__file__).with_name("compile_kernels.py")
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    lines = ended.stdout.splitlines()
    assert len(lines) == 4 * 3 + 5
    for line in lines:
        # On the stack lies what registers did not hold.
        assert re.search(r"stack 0$", line), line
