"""The trainable numbers of K networks as a matrix: a row for each network, the same place for the same weight.

What a network does not have is zero and stays zero: it has no gradient, so neither momentum nor weight decay moves it.
"""

import torch
from torch import Tensor, nn


class RowLayout:
    """Where in a row the weights lie.

    Attributes:
        networks: how many rows there are, K.
        sizes: how many numbers each name has, in the order of the row.
        length: of a row.
        places: for each parameter of each network, the places of its elements in the row: int64, of its shape.
    """

    def __init__(self, networks: int) -> None:
        self.networks = networks
        self.sizes: dict[str, int] = {}
        self.length = 0
        self.places: dict[Tensor, Tensor] = {}

    def add(self, name: str, *shape: int) -> Tensor:
        """Makes room for a tensor of each network; the places of its elements, int64 of that shape."""
        places = torch.arange(self.length, self.length + torch.Size(shape).numel()).view(shape)
        self.sizes[name] = places.numel()
        self.length += places.numel()
        return places

    def parts(self, rows: Tensor) -> dict[str, Tensor]:
        """Rows `(K, length)` as views `(K, size)`, by name."""
        return dict(zip(self.sizes, rows.split(list(self.sizes.values()), dim=1), strict=True))

    @torch.no_grad()
    def fill(self, row: Tensor, network: nn.Module) -> None:
        """Copies a network's parameters into a row."""
        for parameter in network.parameters():
            row[self.places[parameter].to(row.device)] = parameter.to(row)

    @torch.no_grad()
    def empty(self, row: Tensor, network: nn.Module) -> None:
        """Copies a row back into a network's parameters."""
        for parameter in network.parameters():
            parameter.copy_(row[self.places[parameter].to(row.device)])
