"""The weights of K networks as a matrix: one row for each network, with the same column for the same weight.

Weights that a network does not have are zero and stay zero: their gradient is zero, so neither momentum nor weight
decay changes them.
"""

import torch
from torch import Tensor, nn


class RowLayout:
    """The columns of the weights.

    Attributes:
        sizes: the number of columns of each named weight, in the order of the row.
        columns: for each parameter of each network, the columns of its elements: int64, in the parameter's shape.
    """

    def __init__(self, networks: int) -> None:
        self.networks = networks
        self.sizes: dict[str, int] = {}
        self.length = 0
        self.columns: dict[Tensor, Tensor] = {}

    def add(self, name: str, *shape: int) -> Tensor:
        """Adds columns for a tensor of each network, and gives them: int64 of that shape."""
        columns = torch.arange(self.length, self.length + torch.Size(shape).numel()).view(shape)
        self.sizes[name] = columns.numel()
        self.length += columns.numel()
        return columns

    def parts(self, rows: Tensor) -> dict[str, Tensor]:
        """Rows `(K, length)` as views `(K, size)`, by name."""
        return dict(zip(self.sizes, rows.split(list(self.sizes.values()), dim=1), strict=True))

    @torch.no_grad()
    def fill(self, row: Tensor, network: nn.Module) -> None:
        """Copies a network's parameters into a row."""
        for parameter in network.parameters():
            row[self.columns[parameter].to(row.device)] = parameter.to(row)

    @torch.no_grad()
    def empty(self, row: Tensor, network: nn.Module) -> None:
        """Copies a row back into a network's parameters."""
        for parameter in network.parameters():
            parameter.copy_(row[self.columns[parameter].to(row.device)])
