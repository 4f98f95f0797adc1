"""Phases of K networks: the layers of roco.networks.decoder in the same order, for all networks at once."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from roco.networks.decoder import DensePhase, Phase
from roco.space.complexity import growth_of
from roco.training.stacks.fused import can_fuse, fused_phase
from roco.training.stacks.layers import Gather, Parts, StackedConvolution, StackedJoin, StackedNorm, columns_of
from roco.training.stacks.layout import ABSENT, PhaseLayout
from roco.training.stacks.rows import RowLayout

# Numbers of columns of a table: for up to 3, 6 or 8 nodes (the most of a phase) and the output. Few different widths
# mean few variants of each kernel to compile.
TABLE_COLUMNS = (4, 7, 9)


class StackedWiden(nn.Module):
    """The convolution to the width of a phase, if the phase has such a convolution."""

    def __init__(self, name: str, modules: Sequence[nn.Module], rows: RowLayout) -> None:
        super().__init__()
        convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
        self.convolution = StackedConvolution(name, convolutions, rows) if convolutions else None

    def forward(self, maps: Tensor, parts: Parts) -> Tensor:
        """Maps `(n, K * inputs, h, w)`, or the images that all share, to `(n, K * channels, h, w)`."""
        return maps if self.convolution is None else self.convolution(maps, parts)


class StackedPhase(nn.Module):
    """K phases of `residual` or `preactivation` nodes."""

    def __init__(self, name: str, phases: Sequence[Phase], rows: RowLayout) -> None:
        super().__init__()
        self.layout = layout = PhaseLayout.of([phase.graph for phase in phases])
        self.width = width = phases[0].output_channels
        self.convolution_first = isinstance(cast("nn.Sequential", phases[0].nodes[0])[0], nn.Conv2d)
        self.widen = StackedWiden(f"{name}.widen", [phase.widen for phase in phases], rows)
        self.gathers = nn.ModuleList()
        self.joins, self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for number, join in enumerate(layout.joins):
            widths = [width] * (number + 1)
            last = number == len(layout.nodes)
            owners = [phases[k].output_join if last else phases[k].joins[number] for k in join.members]
            self.gathers.append(Gather(layout, number, widths))
            self.joins.append(
                StackedJoin(
                    f"{name}.join_{number}",
                    [owner.reduce for owner in owners],  # type: ignore[misc]
                    rows,
                    join=join,
                    widths=widths,
                    channels=width,
                )
            )
            if last:
                break
            nodes = [cast("nn.Sequential", phases[k].nodes[number]) for k in join.members]
            convolutions = [module for node in nodes for module in node if isinstance(module, nn.Conv2d)]
            norms = [module for node in nodes for module in node if isinstance(module, nn.BatchNorm2d)]
            at = f"{name}.node_{number}"
            self.convolutions.append(StackedConvolution(at, convolutions, rows, members=join.members))
            self.norms.append(StackedNorm(at, norms, rows, members=join.members))
        finish = [cast("nn.BatchNorm2d", phase.finish[0]) for phase in phases]
        self.finish = StackedNorm(f"{name}.finish", finish, rows)
        for number in range(len(layout.joins)):
            for kind, table in (("forward", layout.forward_table(number)), ("backward", layout.backward_table(number))):
                columns = next(count for count in TABLE_COLUMNS if count >= len(layout.joins))
                filled = [[*row, *[ABSENT] * (columns - len(row))] for row in table]
                tensor = torch.tensor(filled, dtype=torch.int32)
                self.register_buffer(f"{kind}_{number}", tensor, persistent=False)

    def table(self, kind: Literal["forward", "backward"], number: int) -> Tensor:
        """The table of a join (`PhaseLayout.forward_table`) or of a map (`PhaseLayout.backward_table`)."""
        return cast("Tensor", getattr(self, f"{kind}_{number}"))

    def forward(self, images: Tensor, parts: Parts) -> Tensor:
        """Maps `(n, K * inputs, h, w)`, or the images that all share, to `(n, K * width, h, w)`."""
        start = self.widen(images, parts)
        if can_fuse(self, start):
            return fused_phase(self, start, parts)
        maps = [start]
        for gather, join, convolution, norm in zip(
            self.gathers, self.joins, self.convolutions, self.norms, strict=False
        ):
            joined = join(gather(maps), parts)
            layers = (convolution, norm) if self.convolution_first else (norm, convolution)
            maps.append(layers[1](layers[0](joined, parts), parts))
        ends = self.joins[-1](self.gathers[-1](maps), parts)
        return self.finish(ends, parts)  # type: ignore[no-any-return]


class StackedDensePhase(nn.Module):
    """K phases of `dense` nodes.

    A node normalises all earlier maps, also those that its network does not join. Their weight and bias are zero there,
    so they contribute nothing and get no gradient.
    """

    def __init__(self, name: str, phases: Sequence[DensePhase], rows: RowLayout) -> None:
        super().__init__()
        self.layout = layout = PhaseLayout.of([phase.graph for phase in phases])
        width = phases[0].output_channels
        growth = growth_of(width)
        self.widen = StackedWiden(f"{name}.widen", [phase.widen for phase in phases], rows)
        self.gathers, self.nodes = nn.ModuleList(), nn.ModuleList()
        for number, join in enumerate(layout.nodes):
            widths = [width] + [growth] * number
            columns = [columns_of(sources, widths) for sources in join.sources]
            modules = [list(cast("nn.Sequential", phases[k].nodes[number])) for k in join.members]
            at, inputs = f"{name}.node_{number}", sum(widths)
            norm, _, reduce, norm_2, _, convolution = zip(*modules, strict=True)
            shared = {"members": join.members}
            self.gathers.append(Gather(layout, number, widths))
            self.nodes.append(
                nn.ModuleList(
                    [
                        StackedNorm(f"{at}.0", norm, rows, columns=columns, channels=inputs, **shared),
                        StackedConvolution(f"{at}.1", reduce, rows, columns=columns, inputs=inputs, **shared),
                        StackedNorm(f"{at}.2", norm_2, rows, **shared),  # type: ignore[arg-type]
                        StackedConvolution(f"{at}.3", convolution, rows, **shared),  # type: ignore[arg-type]
                    ]
                )
            )
        widths = [width] + [growth] * len(layout.nodes)
        self.gathers.append(Gather(layout, len(layout.nodes), widths))
        transitions = [phase.transition for phase in phases]
        self.transition = StackedJoin(
            f"{name}.transition", transitions, rows, join=layout.output, widths=widths, channels=width
        )
        finish = [cast("nn.BatchNorm2d", phase.finish[0]) for phase in phases]
        self.finish = StackedNorm(f"{name}.finish", finish, rows)

    def forward(self, images: Tensor, parts: Parts) -> Tensor:
        """Maps `(n, K * inputs, h, w)`, or the images that all share, to `(n, K * width, h, w)`."""
        maps = [self.widen(images, parts)]
        for gather, node in zip(self.gathers, self.nodes, strict=False):
            joined = gather(maps)
            for layer in cast("nn.ModuleList", node):
                joined = layer(joined, parts)
            maps.append(joined)
        ends = self.transition(self.gathers[-1](maps), parts)
        return self.finish(ends, parts)  # type: ignore[no-any-return]
