"""Parameters and FLOPs of a phenotype's network, from its graph alone: neither torch nor ptflops is imported.

FLOPs are those of ptflops 0.7.5 with its pytorch backend, for one image: multiply-adds of convolutions and the linear
layer (with its bias), 2 per value of a batch normalisation, 2 per value of a ReLU, 2 per value that enters a pool.
ptflops counts a ReLU or a pool twice, as a module and as the function in it; this is kept, so that others get the same
numbers from ptflops. The tests compare both numbers with ptflops and torch. Differs from the paper: the authors' own
counter gives 32.2237M and 34.2289M for the networks of Table V, ptflops 32.3640M and 34.3836M.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from roco.space.genome import PhaseGraph, Phenotype

# The width of the first active phase, which doubles with each later phase; or the width of each active phase, in order.
Channels = int | Sequence[int]
# The channels of the convolution inside a dense node, as a multiple of the node's output channels (DenseNet-B).
BOTTLENECK = 4


def widths_of(channels: Channels, phases: int) -> list[int]:
    """The widths of so many active phases, in order: c, 2c, 4c and so on, or the first of the given widths.

    Raises:
        ValueError: there are more phases than widths.
    """
    if isinstance(channels, int):
        return [channels * 2**number for number in range(phases)]
    if len(channels) < phases:
        raise ValueError(f"expected a width for each of {phases} active phases, got {list(channels)}")
    return list(channels[:phases])


def channels_in_words(channels: Channels) -> str:
    """Widths in words, for tables and cards: `16 initial channels`, or `16, 32, 64 channels`."""
    return f"{channels} initial channels" if isinstance(channels, int) else f"{', '.join(map(str, channels))} channels"


def growth_of(channels: int) -> int:
    """The number of output channels of a dense node in a phase of this width: half of it.

    Differs from NSGA-Net, where it is 64 at any width. The cost of a network would then hardly depend on `channels`.
    At 128 channels, the width of the dense network in its code, both are equal.
    """
    return max(1, channels // 2)


@dataclass(frozen=True)
class Complexity:
    """What a network costs: trainable parameters, and FLOPs of one forward pass of one image."""

    parameters: int
    flops: int

    def __add__(self, other: "Complexity") -> "Complexity":
        return Complexity(self.parameters + other.parameters, self.flops + other.flops)


def convolution(inputs: int, outputs: int, kernel: int, area: int) -> Complexity:
    """The cost of a convolution of `kernel` x `kernel` pixels without bias, for maps of `area` pixels."""
    weights = inputs * outputs * kernel * kernel
    return Complexity(weights, weights * area)


def normalise_and_rectify(channels: int, area: int) -> Complexity:
    """The cost of a batch normalisation and a ReLU."""
    return Complexity(2 * channels, 4 * channels * area)


def _join(inputs: int, channels: int, area: int) -> Complexity:
    return convolution(inputs * channels, channels, 1, area) if inputs > 1 else Complexity(0, 0)


def _dense_phase(graph: PhaseGraph, channels: int, area: int) -> Complexity:
    growth = growth_of(channels)
    bottleneck = BOTTLENECK * growth
    total = convolution(len(graph.outputs) * growth + graph.residual * channels, channels, 1, area)
    total += normalise_and_rectify(channels, area)
    for sources in graph.inputs:
        inputs = len(sources) * growth or channels
        total += normalise_and_rectify(inputs, area) + convolution(inputs, bottleneck, 1, area)
        total += normalise_and_rectify(bottleneck, area) + convolution(bottleneck, growth, 3, area)
    return total


def _convolution_node(channels: int, area: int) -> Complexity:
    return convolution(channels, channels, 3, area) + normalise_and_rectify(channels, area)


def phase_of(node: Callable[[int, int], Complexity], graph: PhaseGraph, channels: int, area: int) -> Complexity:
    """The cost of a phase of nodes that all have its width; several inputs of a node join by a 1x1 convolution.

    Args:
        node: the cost of a node, from its channels and the pixels of its maps.
        area: pixels of a map.
    """
    total = _join(len(graph.outputs) + graph.residual, channels, area) + normalise_and_rectify(channels, area)
    for sources in graph.inputs:
        total += _join(len(sources), channels, area) + node(channels, area)
    return total


# For each kind of node, the cost of a phase without the convolution to its width: a function of the graph, the width,
# and the pixels of a map. roco.networks.decoder has the modules of the same names.
PHASE_COSTS: Mapping[str, Callable[[PhaseGraph, int, int], Complexity]] = {
    "residual": partial(phase_of, _convolution_node),
    "preactivation": partial(phase_of, _convolution_node),
    "dense": _dense_phase,
}
# mypy cannot read names off a table; pydantic checks them, and names them in messages and in the JSON schema.
if TYPE_CHECKING:
    NodeKind = str
else:
    NodeKind = Literal[tuple(PHASE_COSTS)]


def complexity(
    phenotype: Phenotype,
    *,
    channels: Channels,
    classes: int,
    stem_padding: int,
    image_size: int,
    image_channels: int = 3,
    node: NodeKind = "residual",
) -> Complexity:
    """Parameters and FLOPs of the `GenomeNetwork` of a phenotype.

    Args:
        channels: the width of the first active phase, or of each active phase.
        stem_padding: 0 or 1.
        image_size: height and width in pixels.
    """
    total, width, side = Complexity(0, 0), image_channels, image_size
    widths = widths_of(channels, len(phenotype.phases))
    for number, (graph, phase_channels) in enumerate(zip(phenotype.phases, widths, strict=True)):
        if number:
            total += Complexity(0, 2 * width * side * side)
            side //= 2
            if phase_channels != width:
                total += convolution(width, phase_channels, 1, side * side)
        else:
            side += 2 * stem_padding - 2
            total += convolution(width, phase_channels, 3, side * side)
        total += PHASE_COSTS[node](graph, phase_channels, side * side)
        width = phase_channels
    linear = (width + 1) * classes
    return total + Complexity(linear, linear + 2 * width * side * side)
