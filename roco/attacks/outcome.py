"""What an attack did to each image: how far away the nearest wrong image is that it found. No networks here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Outcome:
    """Distances of the misclassified images that an attack found, in [0, 1] units.

    Attributes:
        l2: `(n,)`; infinite where the image is still right, 0 where it was wrong from the start.
        linf: the same in the largest change of a value.
        failures: how many outputs of the attack were not finite or broke its budget; they count as not found.
    """

    l2: Array
    linf: Array
    failures: int = 0

    @property
    def robust(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images are still right, `(n,)`."""
        return np.isinf(self.linf)

    def to_json(self) -> dict[str, Any]:
        """As plain data, with nothing for infinity."""
        return {"l2": plain(self.l2), "linf": plain(self.linf), "failures": self.failures}

    @classmethod
    def from_json(cls, parts: Sequence[Mapping[str, Any]]) -> Self:
        """One outcome from the plain data of its parts, in the order of their images."""
        l2, linf = (
            np.array([np.inf if found is None else found for part in parts for found in part[norm]], dtype=np.float64)
            for norm in ("l2", "linf")
        )
        return cls(l2, linf, sum(int(part["failures"]) for part in parts))


def nearest(distances: Sequence[Array]) -> Array:
    """For each image the smallest distance that any attack found: the worst case per image."""
    smallest: Array = np.minimum.reduce(list(distances))
    return smallest


def marks(images: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """A character an image: 1 or 0."""
    return "".join("1" if one else "0" for one in images.tolist())


def plain(distances: Array) -> list[float | None]:
    """Distances as JSON, to seven digits, which is what float32 knows; nothing for infinity."""
    return [float(f"{one:.7g}") if np.isfinite(one) else None for one in distances.tolist()]


def median(distances: Array) -> float | None:
    """The median; None where there are none, or where half of them are infinite."""
    if not len(distances):
        return None
    middle = np.median(distances)
    return float(middle) if np.isfinite(middle) else None
