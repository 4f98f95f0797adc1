"""Random numbers from a counter: each image has its own, the same on every device, whatever else is drawn.

They are the outputs of SplitMix64, in 64-bit integers, which wrap around in the same way on CPUs and GPUs.
"""

from collections.abc import Iterable

from roco.attacks.types import Tensor, TorchDevice
from roco.runtime import seed_from

# Steele, Lea and Flood 2014 (Fast splittable pseudorandom number generators), as signed numbers of 64 bits.
GOLDEN, FIRST, SECOND = (
    value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)  # fmt: skip
# More numbers than this are never drawn for an image at once.
STRIDE = 2**32


def keys_of(*parts: object, rows: Iterable[int], device: TorchDevice | str = "cpu") -> Tensor:
    """A key for each row, int64 `(n,)`: where the numbers of its image begin."""
    import torch

    return torch.tensor([seed_from(*parts, int(row)) for row in rows], dtype=torch.int64, device=device)


def bits(keys: Tensor, steps: range, *, draws: int) -> Tensor:
    """Random whole numbers of 64 bits for each step, key and draw, int64 `(steps, n, draws)`.

    Draw i (from 0) of step 0 is output i + 1 of SplitMix64 when its seed is the key.
    """
    import torch

    first = torch.arange(steps.start, steps.stop, device=keys.device)[:, None, None] * STRIDE
    counter = first + torch.arange(1, draws + 1, device=keys.device)
    value = counter * GOLDEN + keys[:, None]
    value = (value ^ _shifted(value, 30)) * FIRST
    value = (value ^ _shifted(value, 27)) * SECOND
    return value ^ _shifted(value, 31)


def below(random: Tensor, count: int | Tensor) -> Tensor:
    """Random numbers of 64 bits as whole numbers from 0 to below `count`, at most 2**31."""
    return (_shifted(random, 32) * count) >> 32


def _shifted(value: Tensor, by: int) -> Tensor:
    """Shifted to the right with zeros from the left: for torch the numbers have a sign."""
    return (value >> by) & ((1 << (64 - by)) - 1)
