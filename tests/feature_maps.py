"""Feature maps, and how far two of them are from each other."""

import torch
from torch import Tensor


def maps_of(shape: tuple[int, ...], dtype: torch.dtype, *, mean: float = 3.0) -> Tensor:
    """Feature maps of a normal distribution with a standard deviation of 2, channels last."""
    generator = torch.Generator().manual_seed(0)
    maps = 2 * torch.randn(*shape, generator=generator) + mean
    return maps.to(dtype).contiguous(memory_format=torch.channels_last)


def error(actual: Tensor, wanted: Tensor) -> float:
    """Root of the mean square of the difference, over that of what is wanted."""
    actual, wanted = actual.detach().double(), wanted.detach().double()
    return float((actual - wanted).norm() / wanted.norm().clamp_min(1e-12))
