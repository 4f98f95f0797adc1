"""What an attack did to each image: how far away the nearest wrong image is that it found. No networks here."""

from collections.abc import Container, Mapping, Sequence
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
        found_by: for each image the method of the run that found it; empty where none did. All of them, if not given.
    """

    l2: Array
    linf: Array
    failures: int = 0
    found_by: tuple[str, ...] = ()

    @property
    def robust(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images are still right, `(n,)`."""
        return np.isinf(self.linf)

    def linf_by(self, methods: Container[str], *, others: bool = False) -> Array:
        """`linf` as if only runs of some methods had been made, or only those of all others; 0 where it was before."""
        finders = self.found_by or ("",) * len(self.linf)
        counted = np.array([(finder in methods) is not others for finder in finders], dtype=bool)
        found: Array = np.where(counted | (self.linf == 0), self.linf, np.inf)
        return found

    def to_json(self) -> dict[str, Any]:
        """As plain data, with nothing for infinity."""
        distances = {"l2": plain(self.l2), "linf": plain(self.linf)}
        return {**distances, "failures": self.failures, "found_by": list(self.found_by)}

    @classmethod
    def from_json(cls, parts: Sequence[Mapping[str, Any]]) -> Self:
        """One outcome from the plain data of its parts, in the order of their images."""
        l2, linf = (
            np.array([np.inf if found is None else found for part in parts for found in part[norm]], dtype=np.float64)
            for norm in ("l2", "linf")
        )
        found_by = tuple(finder for part in parts for finder in part["found_by"])
        return cls(l2, linf, sum(int(part["failures"]) for part in parts), found_by)


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
