"""The decoder of the paper, Section III, which builds the torch network of a phenotype."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.compiled.layers import FusedSequential
from roco.space.complexity import BOTTLENECK, Channels, NodeKind, growth_of, widths_of
from roco.space.genome import PhaseGraph, Phenotype


class Normalise(nn.Module):
    """Normalises images in [0, 1] by the mean and standard deviation of each channel, inside the network.

    Attacks clip images to [0, 1]. The authors attacked normalised images, which have another range.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the same shape with zero mean and unit variance."""
        return (images - self.mean) / self.std


def residual_node(channels: int) -> FusedSequential:
    """A node of the paper: 3x3 convolution, batch normalisation, ReLU. Source: NSGA-Net's decoder (Lu et al. 2019)."""
    return FusedSequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )


def preactivation_node(channels: int) -> FusedSequential:
    """A node whose convolution comes last. Source: NSGA-Net's decoder (Lu et al. 2019)."""
    return FusedSequential(
        nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    )


class Join(nn.Module):
    """Joins several inputs by a 1x1 convolution to `channels`; a single input passes unchanged."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inputs * channels, channels, 1, bias=False) if inputs > 1 else None

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Maps of shape `(n, channels, h, w)` to a single one of the same shape."""
        return inputs[0] if self.reduce is None else convolve_together(self.reduce, inputs, training=self.training)


def convolve_together(convolution: nn.Conv2d, pieces: Sequence[Tensor], *, training: bool) -> Tensor:
    """A 1x1 convolution without bias of the concatenation of several maps `(n, any, h, w)`.

    In training the maps are not concatenated, which saves copying. Each is convolved with its slice of the weight, and
    the results are added: the same sum in another order.
    """
    if not training:
        # Calls the module, because counters of FLOPs look for modules.
        return convolution(torch.cat(list(pieces), dim=1))  # type: ignore[no-any-return]
    # Cast as a whole; autocast would cast each slice.
    weight = convolution.weight.to(pieces[0].dtype)
    first, *others = weight.split([maps.shape[1] for maps in pieces], dim=1)
    total = F.conv2d(pieces[0], first)
    for maps, weight in zip(pieces[1:], others, strict=True):
        total = total.add_(F.conv2d(maps, weight))
    return total


class GenomePhase(nn.Module):
    """What the phases of all kinds of nodes share.

    Attributes:
        output_channels: its width.
        widen: brings its input to its width: a convolution, or nothing.
    """

    def __init__(self, graph: PhaseGraph, channels: int, widen: nn.Module) -> None:
        super().__init__()
        self.graph, self.output_channels = graph, channels
        self.widen = widen


class Phase(GenomePhase):
    """A phase of nodes that all have its width: their inputs are joined, and the output is normalised.

    Args:
        make_node: makes the module of a node from its number of channels.
    """

    def __init__(
        self, graph: PhaseGraph, channels: int, widen: nn.Module, *, make_node: Callable[[int], nn.Module]
    ) -> None:
        super().__init__(graph, channels, widen)
        self.joins = nn.ModuleList(Join(len(sources), channels) for sources in graph.inputs)
        self.nodes = nn.ModuleList(make_node(channels) for _ in graph.inputs)
        self.output_join = Join(len(graph.outputs) + graph.residual, channels)
        self.finish = FusedSequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, channels, h, w)` (two pixels smaller without padding)."""
        start = self.widen(images)
        maps: list[Tensor] = []
        for sources, join, node in zip(self.graph.inputs, self.joins, self.nodes, strict=True):
            maps.append(node(join([maps[source] for source in sources] or [start])))
        ends = [maps[node] for node in self.graph.outputs] + ([start] if self.graph.residual else [])
        return self.finish(self.output_join(ends))  # type: ignore[no-any-return]


class DenseNode(FusedSequential):
    """A node on concatenated inputs: BN, ReLU, 1x1 convolution to 4k channels, BN, ReLU, 3x3 convolution to k.

    Source: NSGA-Net's DenseNode (Lu et al. 2019), after DenseNet-B (Huang et al. 2017). Its k is `growth_of` a phase.
    """

    def __init__(self, inputs: int, growth: int) -> None:
        bottleneck = BOTTLENECK * growth
        super().__init__(
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Conv2d(bottleneck, growth, 3, padding=1, bias=False),
        )


class DensePhase(GenomePhase):
    """A phase of dense nodes: each gives k channels, and a 1x1 convolution brings the phase's output to its width.

    Source: NSGA-Net's DensePhase (Lu et al. 2019). A phase with a single output node has this convolution too, because
    k is not the width. Differs from NSGA-Net: k depends on the width (`growth_of`). If the width of a phase equals k,
    their code concatenates the outputs along the batch, which is a mistake.
    """

    def __init__(self, graph: PhaseGraph, channels: int, widen: nn.Module) -> None:
        super().__init__(graph, channels, widen)
        growth = growth_of(channels)
        self.nodes = nn.ModuleList(DenseNode(len(sources) * growth or channels, growth) for sources in graph.inputs)
        ends = len(graph.outputs) * growth + graph.residual * channels
        self.transition = nn.Conv2d(ends, channels, 1, bias=False)
        self.finish = FusedSequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, channels, h, w)` (two pixels smaller without padding)."""
        start = self.widen(images)
        maps: list[Tensor] = []
        for sources, node in zip(self.graph.inputs, self.nodes, strict=True):
            pieces = [maps[source] for source in sources]
            maps.append(node(torch.cat(pieces, dim=1) if pieces else start))
        ends = [maps[node] for node in self.graph.outputs] + ([start] if self.graph.residual else [])
        return self.finish(convolve_together(self.transition, ends, training=self.training))  # type: ignore[no-any-return]


# The modules of roco.space.complexity's PHASE_COSTS: a phase from its graph, its width, and the layer that widens.
PHASES: Mapping[str, Callable[[PhaseGraph, int, nn.Module], GenomePhase]] = {
    "residual": partial(Phase, make_node=residual_node),
    "preactivation": partial(Phase, make_node=preactivation_node),
    "dense": DensePhase,
}


class GenomeNetwork(nn.Module):
    """The network of a phenotype: active phases with max-pooling between them, global average, a linear layer.

    Weights are fresh, from torch's global generator.

    Args:
        phenotype: canonical, so that equal phenotypes give equal networks for a seed.
        channels: the width of the first active phase, which doubles with each later phase; or a width for each active
            phase, in order. A phase as wide as the phase before has no convolution at its start, as in NSGA-Net.
        stem_padding: of the first convolution: 0 as in the authors' code (32 pixels become 30), or 1.
        mean: of each image channel in [0, 1]; its length is the number of channels.
        std: of each image channel.
        node: what a node computes, a key of `PHASES`; the paper's nodes are `residual`.

    Source: paper, Section III; NSGA-Net's macro decoder (Lu et al. 2019). Weights start as He et al. 2015.
    """

    def __init__(
        self,
        phenotype: Phenotype,
        *,
        channels: Channels,
        classes: int,
        stem_padding: int,
        mean: Sequence[float],
        std: Sequence[float],
        node: NodeKind = "residual",
    ) -> None:
        super().__init__()
        self.node = node
        self.normalise = Normalise(mean, std)
        layers: list[nn.Module] = []
        width = len(mean)
        widths = widths_of(channels, len(phenotype.phases))
        for number, (graph, phase_channels) in enumerate(zip(phenotype.phases, widths, strict=True)):
            kernel, padding = (3, stem_padding) if number == 0 else (1, 0)
            if number:
                layers.append(nn.MaxPool2d(2))
            start = (
                nn.Conv2d(width, phase_channels, kernel, padding=padding, bias=False)
                if number == 0 or width != phase_channels
                else nn.Identity()
            )
            layers.append(PHASES[node](graph, phase_channels, start))
            width = phase_channels
        self.phases = FusedSequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classify = nn.Linear(width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @property
    def active_phases(self) -> list[GenomePhase]:
        """The phases without the pooling between them."""
        return [module for module in self.phases if isinstance(module, GenomePhase)]

    def forward(self, images: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to logits `(n, classes)`."""
        features = self.pool(self.phases(self.normalise(images)))
        return self.classify(features.flatten(1))  # type: ignore[no-any-return]
