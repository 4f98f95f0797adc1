"""Layers of K networks side by side, computed as grouped layers. Their weights are taken from the rows of a stack.

Feature maps are `(n, K * channels, h, w)`: network k has channels k * channels to (k + 1) * channels. A layer has
members, which are the networks that contain it; its inputs and outputs are the maps of its members only.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.training.stacks.layout import Join, PhaseLayout
from roco.training.stacks.rows import RowLayout

Parts = dict[str, Tensor]


class Selection(nn.Module):
    """Picks networks along a dimension, with zeros for networks that are not present.

    Both passes read by index. The gradient of torch's own selection writes by index, which on a GPU is slow, or gives
    other bits in each run.

    Args:
        wanted: the networks to pick, each once.
        present: the networks that the values hold, in their order.
    """

    def __init__(self, wanted: Sequence[int], present: Sequence[int]) -> None:
        super().__init__()
        self.whole = list(wanted) == list(present)
        self.lacks = bool(set(wanted) - set(present)), bool(set(present) - set(wanted))
        for name, of, among in (("forward_index", wanted, present), ("backward_index", present, wanted)):
            # Absent networks get the index after the last network, where `_read` puts zeros.
            position = {network: index for index, network in enumerate(among)}
            index = torch.tensor([position.get(network, len(among)) for network in of])
            self.register_buffer(name, index, persistent=False)

    def forward(self, values: Tensor, dim: int) -> Tensor:
        """The picked networks of `values`, which has the present networks along `dim`."""
        if self.whole:
            return values
        return _Select.apply(values, dim, (self.forward_index, self.backward_index), self.lacks)  # type: ignore[no-any-return]


class _Select(torch.autograd.Function):
    """Reads `values` at an index, and their gradient at the inverse index."""

    @staticmethod
    def forward(
        context: Any, values: Tensor, dim: int, indices: tuple[Tensor, Tensor], lacks: tuple[bool, bool]
    ) -> Tensor:
        context.dim, context.indices, context.lacks = dim, indices, lacks
        return _read(values, dim, indices[0], pad=lacks[0])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _read(gradient, context.dim, context.indices[1], pad=context.lacks[1]), None, None, None


def _read(values: Tensor, dim: int, index: Tensor, *, pad: bool) -> Tensor:
    if pad:
        values = torch.cat([values, torch.zeros_like(values.narrow(dim, 0, 1))], dim)
    return values.index_select(dim, index)


class StackedLayer(nn.Module):
    """What all stacked layers share.

    Args:
        name: of the layer's weights in the rows.
        networks: K.
        members: the networks that have the layer; None: all.
    """

    def __init__(self, name: str, networks: int, members: Sequence[int] | None) -> None:
        super().__init__()
        self.name = name
        self.select = Selection(range(networks) if members is None else members, range(networks))

    def rows(self, parts: Parts, suffix: str = "") -> Tensor:
        """The members' weights `(members, size)`."""
        return self.select(parts[self.name + suffix], 0)  # type: ignore[no-any-return]


class StackedConvolution(StackedLayer):
    """One convolution without bias for each member, all of the same shape. They may all read the same images."""

    def __init__(
        self,
        name: str,
        convolutions: Sequence[nn.Conv2d],
        rows: RowLayout,
        *,
        members: Sequence[int] | None = None,
        columns: Sequence[Sequence[int]] | None = None,
        inputs: int | None = None,
    ) -> None:
        super().__init__(name, rows.networks, members)
        first = convolutions[0]
        self.padding = first.padding
        # The memory order "channels last", in which the maps lie too.
        self.shape = (first.out_channels, *first.kernel_size, inputs or first.in_channels)
        added = rows.add(name, *self.shape).permute(0, 3, 1, 2)
        for number, convolution in enumerate(convolutions):
            rows.columns[convolution.weight] = added if columns is None else added[:, list(columns[number])]

    def weight(self, parts: Parts) -> Tensor:
        """`(members * outputs, inputs, height, width)`, channels last."""
        outputs, *rest = self.shape
        rows = self.rows(parts)
        return rows.reshape(len(rows) * outputs, *rest).permute(0, 3, 1, 2)

    def forward(self, maps: Tensor, parts: Parts) -> Tensor:
        """Convolves the members' maps, or maps `(n, inputs, h, w)` that all of them share."""
        groups = maps.shape[1] // self.shape[-1]
        return F.conv2d(maps, self.weight(parts), padding=self.padding, groups=groups)


class StackedNorm(StackedLayer):
    """Batch normalisation and ReLU of each member.

    Attributes:
        running_mean: `(members * channels,)`; running_var alike.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        name: str,
        norms: Sequence[nn.BatchNorm2d],
        rows: RowLayout,
        *,
        members: Sequence[int] | None = None,
        columns: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
    ) -> None:
        super().__init__(name, rows.networks, members)
        self.norms = tuple(norms)
        self.channels = channels or norms[0].num_features
        assert norms[0].momentum is not None
        self.momentum, self.epsilon = float(norms[0].momentum), norms[0].eps
        everything = range(self.channels)
        self.columns = [list(each) for each in columns or [everything] * len(norms)]
        weight, bias = rows.add(f"{name}.weight", self.channels), rows.add(f"{name}.bias", self.channels)
        for norm, chosen in zip(norms, self.columns, strict=True):
            rows.columns |= {norm.weight: weight[chosen], norm.bias: bias[chosen]}
        like = norms[0].running_mean
        assert like is not None
        self.register_buffer("running_mean", like.new_zeros(len(norms), self.channels))
        self.register_buffer("running_var", like.new_ones(len(norms), self.channels))
        for mean, var, norm, chosen in zip(self.running_mean, self.running_var, norms, self.columns, strict=True):
            mean[chosen], var[chosen] = norm.running_mean, norm.running_var

    def affine(self, parts: Parts) -> tuple[Tensor, Tensor]:
        """Weight and bias, `(members * channels,)` each."""
        return self.rows(parts, ".weight").reshape(-1), self.rows(parts, ".bias").reshape(-1)

    def forward(self, maps: Tensor, parts: Parts) -> Tensor:
        """Normalises the members' maps and applies ReLU."""
        mean, var = self.running_mean.view(-1), self.running_var.view(-1)
        weight, bias = self.affine(parts)
        return F.relu(F.batch_norm(maps, mean, var, weight, bias, self.training, self.momentum, self.epsilon))

    @torch.no_grad()
    def write_back(self, batches: Tensor) -> None:
        """Copies the running statistics to the members' own modules."""
        for mean, var, norm, chosen in zip(self.running_mean, self.running_var, self.norms, self.columns, strict=True):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            assert norm.num_batches_tracked is not None
            norm.running_mean.copy_(mean[chosen])
            norm.running_var.copy_(var[chosen])
            norm.num_batches_tracked.copy_(batches)


class Gather(nn.Module):
    """Puts all earlier maps of a phase side by side for the members of a join: `(n, members * sum of widths, h, w)`.

    Each member gets all maps of its own network, and zeros for maps that its network does not have. The weights of the
    join then select the maps that the network does join.
    """

    def __init__(self, layout: PhaseLayout, number: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = widths
        members = layout.joins[number].members
        self.selections = nn.ModuleList(Selection(members, layout.members(source)) for source in range(number + 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Gathers the phase's maps before the join, which come in order."""
        pieces = [
            select(each.unflatten(1, (-1, width)), 1)
            for select, each, width in zip(self.selections, maps, self.widths, strict=True)
        ]
        joined = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
        return joined.flatten(1, 2)


class StackedJoin(StackedLayer):
    """1x1 convolutions without bias over all earlier maps of a phase, with zeros where a network has no edge.

    Args:
        join: the members, and the maps that each of them joins.
        convolutions: of each member; None: the member has one source, which passes unchanged.
        widths: the widths of the earlier maps.
    """

    mask: Tensor
    passes: Tensor

    def __init__(
        self,
        name: str,
        convolutions: Sequence[nn.Conv2d | None],
        rows: RowLayout,
        *,
        join: Join,
        widths: Sequence[int],
        channels: int,
    ) -> None:
        super().__init__(name, rows.networks, join.members)
        inputs = sum(widths)
        added = rows.add(name, channels, inputs)
        mask, passes = torch.zeros(len(convolutions), inputs), torch.zeros(len(convolutions), channels, inputs)
        for number, (convolution, sources) in enumerate(zip(convolutions, join.sources, strict=True)):
            columns = columns_of(sources, widths)
            if convolution is None:
                passes[number, range(channels), columns] = 1
            else:
                mask[number, columns] = 1
                rows.columns[convolution.weight] = added[:, columns, None, None]
        self.channels = channels
        self.register_buffer("mask", mask[:, None], persistent=False)
        self.register_buffer("passes", passes, persistent=False)

    def weight(self, parts: Parts) -> Tensor:
        """`(members, channels, inputs)`; where there is no edge, the rows hold zeros."""
        rows = self.rows(parts)
        return rows.view(len(rows), self.channels, -1)

    def forward(self, gathered: Tensor, parts: Parts) -> Tensor:
        """Reduces the result of `Gather` to the members' maps `(n, members * channels, h, w)`."""
        # The mask keeps the gradient at zero where there is no edge.
        weight = self.weight(parts) * self.mask + self.passes
        return F.conv2d(gathered, weight.flatten(0, 1)[:, :, None, None], groups=len(weight))


def columns_of(sources: Sequence[int], widths: Sequence[int]) -> list[int]:
    """The channels of some maps among all maps of these widths, which lie side by side."""
    begins = [sum(widths[:source]) for source in range(len(widths))]
    return [column for source in sources for column in range(begins[source], begins[source] + widths[source])]
