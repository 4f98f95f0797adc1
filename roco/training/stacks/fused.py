"""A phase of stacked networks on a GPU as one differentiable operation, by cuDNN and the kernels of kernels.py.

The gradients between the input and the output of a phase are computed here by hand. Automatic differentiation would
compute the gradient of each map for all networks and add it up, also for networks that do not use the map.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from roco.training.stacks.layers import Parts, StackedNorm

if TYPE_CHECKING:
    from roco.training.stacks.phases import StackedPhase

log = logging.getLogger("roco")

# Rows of pixels and number of warps of a program of `combine` and `weight_gradient`, by the width of the phase. With
# these, a program's values fit in registers (tests/training/stacks/test_fused.py). Other widths use torch's operators.
TILES = {16: (128, 4), 32: (128, 4), 64: (64, 4), 128: (64, 8)}
# The largest width of float32 maps, which no matrix unit takes: wider ones need 96 KiB of shared memory, where Turing
# GPUs have 64, and each kernel takes more than a minute to compile.
WIDEST_SINGLE = 64
# The most programs along the second dimension of a grid.
GRID = 65535
# Rows and channels of a program that normalises; the largest numbers of parts into which sums over all rows are cut.
NORM_BLOCK, NORM_CHANNELS, NORM_PARTS, WEIGHT_PARTS = 32, 64, 64, 16


@cache
def kernels(device: torch.device) -> Any | None:
    """The module of kernels. None, with a line in the log, if Triton is missing or does not work on the device.

    Triton needs a C compiler and a GPU that it supports. Without it a stack is slower, with the same results.
    """
    try:
        from roco.training.stacks import kernels as module

        _try(module, device)
    except torch.OutOfMemoryError:
        # This does not mean that Triton fails.
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        log.warning("training without Triton's kernels, which is slower: %s", reason)
        return None
    return module


def _try(module: Any, device: torch.device) -> None:
    """Runs the first kernel on a map of four values; raises if it does not work."""
    values, partial = torch.ones(4, 1, device=device), torch.ones(1, 2, 1, device=device)
    module.moments[(1, 1)](values, partial, 4, 1, 1, BLOCK=NORM_BLOCK, CHANNELS=NORM_CHANNELS)
    if partial.abs().sum() != 0:
        raise RuntimeError("Triton computes wrong sums here")


def _kernels(tensor: Tensor) -> Any:
    """The kernels for the tensor's device, after `can_fuse` was true for it."""
    module = kernels(tensor.device)
    assert module is not None
    return module


def can_fuse(phase: "StackedPhase", maps: Tensor) -> bool:
    """Whether `fused_phase` can replace the phase's own forward pass."""
    return (
        maps.is_cuda
        and phase.training
        and phase.width in TILES
        and (maps.dtype is torch.bfloat16 or (maps.dtype is torch.float32 and phase.width <= WIDEST_SINGLE))
        and _rows(maps) <= GRID * NORM_BLOCK
        and kernels(maps.device) is not None
    )


def fused_phase(phase: "StackedPhase", start: Tensor, parts: Parts) -> Tensor:
    """The phase behind its first convolution: maps `(n, K * width, h, w)`, channels last, to the same shape."""
    joins = [join.weight(parts).to(start.dtype).contiguous() for join in phase.joins]  # type: ignore[operator]
    convolutions = [each.weight(parts).to(start.dtype) for each in phase.convolutions]  # type: ignore[operator]
    norms = [*phase.norms, phase.finish]
    affines = [tensor for norm in norms for tensor in norm.affine(parts)]
    start = start.contiguous(memory_format=torch.channels_last)
    return _FusedPhase.apply(phase, start, *joins, *convolutions, *affines)  # type: ignore[no-any-return]


class _FusedPhase(torch.autograd.Function):
    """Once differentiable. Weights come as joins, convolutions, and weight and bias of each normalisation."""

    @staticmethod
    def forward(context: Any, phase: "StackedPhase", start: Tensor, *weights: Tensor) -> Tensor:
        nodes = len(phase.convolutions)
        joins, convolutions, affines = (
            weights[: nodes + 1],
            weights[nodes + 1 : 2 * nodes + 1],
            weights[2 * nodes + 1 :],
        )
        norms = [*phase.norms, phase.finish]
        maps, kept = [start], list[Tensor]()
        for number in range(nodes):
            joined = _join(phase, number, maps, joins[number])
            weight, bias = affines[2 * number : 2 * number + 2]
            if phase.convolution_first:
                inner = _convolve(joined, convolutions[number])
                result, statistics = _normalise(inner, norms[number], weight, bias)
            else:
                inner, statistics = _normalise(joined, norms[number], weight, bias)
                result = _convolve(inner, convolutions[number])
            maps.append(result)
            kept += [joined, inner, statistics]
        joined = _join(phase, nodes, maps, joins[nodes])
        result, statistics = _normalise(joined, phase.finish, *affines[2 * nodes :])
        context.phase = phase
        context.save_for_backward(*maps, *kept, joined, statistics, *joins, *convolutions)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        phase: StackedPhase = context.phase
        nodes = len(phase.convolutions)
        saved = list(context.saved_tensors)
        maps, saved = saved[: nodes + 1], saved[nodes + 1 :]
        kept, (joined, statistics), saved = saved[: 3 * nodes], saved[3 * nodes : 3 * nodes + 2], saved[3 * nodes + 2 :]
        joins, convolutions = saved[: nodes + 1], saved[nodes + 1 :]
        # Not while images of adversarial training are made.
        learns = any(context.needs_input_grad[2:])
        of_joins: list[Any] = [None] * (nodes + 1)
        of_convolutions: list[Any] = [None] * nodes
        of_affines: list[Any] = [None] * (2 * nodes + 2)
        # The gradients of the joins from some number on, in their order.
        behind: list[Tensor] = []
        for number in range(nodes, -1, -1):
            if number == nodes:
                back = gradient.contiguous(memory_format=torch.channels_last)
                back, of_affines[-2], of_affines[-1] = _normalise_back(back, joined, statistics)
            else:
                joined, inner, statistics = kept[3 * number : 3 * number + 3]
                back = _map_back(phase, number + 1, behind, joins[number + 1 :])
                if phase.convolution_first:
                    back, *affine = _normalise_back(back, inner, statistics)
                    back, of_convolutions[number] = _convolve_back(back, joined, convolutions[number], learns=learns)
                else:
                    back, of_convolutions[number] = _convolve_back(back, inner, convolutions[number], learns=learns)
                    back, *affine = _normalise_back(back, joined, statistics)
                of_affines[2 * number : 2 * number + 2] = affine
            if learns:
                of_joins[number] = _join_weights_back(phase, number, maps[: number + 1], back, joins[number])
            behind.insert(0, back)
        of_start = _map_back(phase, 0, behind, joins)
        return None, of_start, *of_joins, *of_convolutions, *of_affines


def _rows(maps: Tensor) -> int:
    return maps.numel() // maps.shape[1]


def _convolve(maps: Tensor, weight: Tensor) -> Tensor:
    groups = maps.shape[1] // weight.shape[1]
    return F.conv2d(maps, weight, padding=1, groups=groups).contiguous(memory_format=torch.channels_last)


def _convolve_back(gradient: Tensor, maps: Tensor, weight: Tensor, *, learns: bool) -> tuple[Tensor, Tensor | None]:
    """The gradients of the maps, and of the weight where it `learns`."""
    groups = maps.shape[1] // weight.shape[1]
    of_maps, of_weight, _ = torch.ops.aten.convolution_backward(
        *(gradient, maps, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), groups, (True, learns, False))
    )
    return of_maps.contiguous(memory_format=torch.channels_last), of_weight


def _join(phase: "StackedPhase", number: int, maps: Sequence[Tensor], weight: Tensor) -> Tensor:
    table, weights = phase.table("forward", number), [weight] * (number + 1)
    return _combine(phase, table, maps, weights, first_source=0, forward=True)


def _map_back(phase: "StackedPhase", source: int, gradients: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """The gradient of a map from those of the joins `source` and later."""
    return _combine(phase, phase.table("backward", source), gradients, weights, first_source=source, forward=False)


def _combine(
    phase: "StackedPhase",
    table: Tensor,
    maps: Sequence[Tensor],
    weights: Sequence[Tensor],
    *,
    first_source: int,
    forward: bool,
) -> Tensor:
    block, warps = TILES[phase.width]
    maps, weights = _padded(maps, table), _padded(weights, table)
    n, _, *size = maps[0].shape
    shape = (n, len(table) * phase.width, *size)
    result = torch.empty(shape, dtype=maps[0].dtype, device=maps[0].device, memory_format=torch.channels_last)
    rows = _rows(result)
    _kernels(result).combine[(len(table), -(-rows // block))](
        maps, weights, table, result, rows, tuple(each.shape[1] for each in maps),
        tuple(weight.shape[2] for weight in weights), result.shape[1], first_source,
        MAPS=len(maps), CHANNELS=phase.width, BLOCK=block, FORWARD=forward, num_warps=warps,
    )  # fmt: skip
    return result


def _padded(tensors: Sequence[Tensor], table: Tensor) -> tuple[Tensor, ...]:
    """As many tensors as the table has columns; the additional ones are never read."""
    return (*tensors, *[tensors[0]] * (table.shape[1] - len(tensors)))


def _join_weights_back(
    phase: "StackedPhase", number: int, maps: Sequence[Tensor], gradient: Tensor, weight: Tensor
) -> Tensor:
    rows, width = _rows(gradient), phase.width
    table = phase.table("forward", number)
    block, warps = TILES[width]
    parts = max(1, min(WEIGHT_PARTS, rows // (8 * block)))
    partial = torch.zeros((parts, *weight.shape), device=weight.device)
    padded = _padded(maps, table)
    _kernels(gradient).weight_gradient[(len(table), parts)](
        padded, gradient, table, partial, rows, tuple(each.shape[1] for each in padded), gradient.shape[1],
        len(table), len(maps), -(-rows // (parts * block)),
        MAPS=len(padded), CHANNELS=width, BLOCK=block, num_warps=warps,
    )  # fmt: skip
    return partial.sum(0).to(weight.dtype)


def _normalise(maps: Tensor, norm: StackedNorm, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """ReLU of the batch normalisation, and mean, inverse deviation, scale and offset of each channel."""
    compiled, rows, width = _kernels(maps), _rows(maps), maps.shape[1]
    blocks, parts = -(-width // NORM_CHANNELS), max(1, min(NORM_PARTS, rows // NORM_BLOCK))
    partial = torch.empty((parts, 2, width), device=maps.device)
    statistics = torch.empty((4, width), device=maps.device)
    compiled.moments[(blocks, parts)](
        maps, partial, rows, width, -(-rows // (parts * NORM_BLOCK)), BLOCK=NORM_BLOCK, CHANNELS=NORM_CHANNELS
    )
    compiled.finish_moments[(blocks,)](
        maps, partial, weight, bias, norm.running_mean, norm.running_var, statistics, rows, width, parts,
        norm.epsilon, norm.momentum, PARTS=NORM_PARTS, CHANNELS=NORM_CHANNELS,
    )  # fmt: skip
    result = torch.empty_like(maps)
    compiled.normalise_relu[(blocks, -(-rows // NORM_BLOCK))](
        maps, statistics, result, rows, width, BLOCK=NORM_BLOCK, CHANNELS=NORM_CHANNELS
    )
    return result, statistics


def _normalise_back(gradient: Tensor, maps: Tensor, statistics: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the maps, of the weight and of the bias."""
    compiled, rows, width = _kernels(maps), _rows(maps), maps.shape[1]
    blocks, parts = -(-width // NORM_CHANNELS), max(1, min(NORM_PARTS, rows // NORM_BLOCK))
    partial = torch.empty((parts, 2, width), device=maps.device)
    sums, result = torch.empty((2, width), device=maps.device), torch.empty_like(maps)
    compiled.gradient_sums[(blocks, parts)](
        gradient, maps, statistics, partial, rows, width, -(-rows // (parts * NORM_BLOCK)),
        BLOCK=NORM_BLOCK, CHANNELS=NORM_CHANNELS,
    )  # fmt: skip
    compiled.finish_gradient_sums[(blocks,)](partial, sums, width, parts, PARTS=NORM_PARTS, CHANNELS=NORM_CHANNELS)
    compiled.normalise_relu_gradient[(blocks, -(-rows // NORM_BLOCK))](
        gradient, maps, statistics, sums, result, rows, width, BLOCK=NORM_BLOCK, CHANNELS=NORM_CHANNELS
    )
    of_bias, of_weight = sums
    return result, of_weight, of_bias
