"""A stack: K networks of genomes as one module. How it is trained is in roco.training.loop."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.decoder import GenomeNetwork
from roco.training.stacks.layers import StackedNorm
from roco.training.stacks.phases import StackedDensePhase, StackedPhase
from roco.training.stacks.rows import RowLayout

# The stacked forms of phases, by the kind of their nodes. Networks with other nodes are trained alone.
STACKED_PHASES: Mapping[str, Callable[[str, Sequence[Any], RowLayout], nn.Module]] = {
    "residual": StackedPhase,
    "preactivation": StackedPhase,
    "dense": StackedDensePhase,
}


def likeness(network: nn.Module) -> Hashable | None:
    """A value that is equal for networks that can form a stack; None for a network that cannot be part of any.

    Such networks have the same number of active phases, widths, node kind, padding, classes and image channels.
    """
    if not isinstance(network, GenomeNetwork) or network.node not in STACKED_PHASES:
        return None
    phases = network.active_phases
    padding = [phase.widen.padding for phase in phases[:1]]
    widths = [phase.output_channels for phase in phases]
    return repr((network.normalise.mean.numel(), padding, network.node, widths, network.classify.out_features))


class Stack(nn.Module):
    """K networks of genomes as one module, side by side in the channels of one tensor.

    Up to rounding, each network has the logits, gradients and running statistics that it would have alone. No network
    influences another.

    Args:
        networks: with equal `likeness`, on one device. Their weights are copied, and `write_back` copies them back.

    Attributes:
        weights: `(K, numbers)`, a row for each network.
    """

    batches: Tensor

    def __init__(self, networks: Sequence[GenomeNetwork]) -> None:
        super().__init__()
        first = networks[0]
        if len({likeness(network) for network in networks}) > 1:
            raise ValueError("expected networks of equal likeness")
        self.networks = tuple(networks)
        self.layout = RowLayout(len(networks))
        self.normalise = first.normalise
        self.phases = nn.ModuleList()
        for number in range(len(first.active_phases)):
            phases = [network.active_phases[number] for network in networks]
            self.phases.append(STACKED_PHASES[first.node](f"phase_{number}", phases, self.layout))
        self.classes, self.features = first.classify.out_features, first.classify.in_features
        weight = self.layout.add("classify.weight", self.classes, self.features)
        bias = self.layout.add("bias", self.classes)
        for network in networks:
            self.layout.columns |= {network.classify.weight: weight, network.classify.bias: bias}
        like = first.classify.weight
        self.weights = nn.Parameter(like.new_zeros(len(networks), self.layout.length))
        for row, network in zip(self.weights.detach(), networks, strict=True):
            self.layout.fill(row, network)
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        self.to(like.device)

    def __len__(self) -> int:
        return len(self.networks)

    def forward(self, images: Tensor) -> Tensor:
        """Float32 images in [0, 1] to logits `(n, K, classes)`.

        Images are `(n, c, h, w)` for all networks, or `(n, K * c, h, w)`: for each network its own.
        """
        parts = self.layout.parts(self.weights)
        channels = self.normalise.mean.numel()
        copies = images.shape[1] // channels
        maps = (images - self.normalise.mean.repeat(1, copies, 1, 1)) / self.normalise.std.repeat(1, copies, 1, 1)
        if self.training:
            self.batches += 1
        for number, phase in enumerate(self.phases):
            maps = phase(F.max_pool2d(maps, 2) if number else maps, parts)
        features = maps.mean(dim=(2, 3)).unflatten(1, (-1, self.features)).transpose(0, 1)
        weight = parts["classify.weight"].unflatten(1, (self.classes, -1)).transpose(1, 2)
        logits = features.expand(len(self), -1, -1) @ weight + parts["bias"][:, None]
        return cast("Tensor", logits.transpose(0, 1))

    @torch.no_grad()
    def write_back(self) -> None:
        """Copies weights and running statistics to the networks."""
        for row, network in zip(self.weights, self.networks, strict=True):
            self.layout.empty(row, network)
        for module in self.modules():
            if isinstance(module, StackedNorm):
                module.write_back(self.batches)
