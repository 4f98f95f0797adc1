"""What an attack did to each image: how far away the misclassified image is that it made. No networks here."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Outcome:
    """Distances of the misclassified images that an attack made, in [0, 1] units.

    Attributes:
        l2: `(n,)`; infinite where the image is still right, 0 where it was wrong from the start.
        linf: the same in the largest change of a value.
        failures: how many outputs of the attack were not finite or broke its budget; they are no successes.
        found_by: for each image the method of the stage that turned it; empty text where none did. Empty as a whole if
            it is not known.
    """

    l2: Array
    linf: Array
    failures: int = 0
    found_by: tuple[str, ...] = ()

    @property
    def robust(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images are still right, `(n,)`."""
        return np.isinf(self.linf)

    def linf_by(self, methods: Container[str]) -> Array:
        """`linf` as if only stages of some methods had been run; 0 where the image was wrong from the start."""
        return self._linf_of([method in methods for method in self._finders])

    def linf_without(self, methods: Container[str]) -> Array:
        """`linf` as if no stages of some methods had been run; 0 where the image was wrong from the start."""
        return self._linf_of([method not in methods for method in self._finders])

    @property
    def _finders(self) -> Sequence[str]:
        return self.found_by or ("",) * len(self.linf)

    def _linf_of(self, counted: Sequence[bool]) -> Array:
        distances: Array = np.where(np.array(counted, dtype=bool) | (self.linf == 0), self.linf, np.inf)
        return distances

    def to_json(self) -> dict[str, Any]:
        """As plain data, with nothing for infinity."""
        distances = {"l2": plain(self.l2), "linf": plain(self.linf)}
        return {**distances, "failures": self.failures, "found_by": list(self.found_by)}

    @classmethod
    def from_json(cls, parts: Sequence[Mapping[str, Any]]) -> Self:
        """The outcome whose parts are given as plain data, in the order of their images."""
        l2, linf = (
            np.array([np.inf if each is None else each for part in parts for each in part[norm]], dtype=np.float64)
            for norm in ("l2", "linf")
        )
        found_by = tuple(method for part in parts for method in part["found_by"])
        return cls(l2, linf, sum(int(part["failures"]) for part in parts), found_by)


def nearest(distances: Sequence[Array]) -> Array:
    """For each image the smallest distance over several attacks: the worst case per image."""
    smallest: Array = np.minimum.reduce(list(distances))
    return smallest


def marks(images: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """A character an image: 1 or 0."""
    return "".join("1" if marked else "0" for marked in images.tolist())


def plain(distances: Array) -> list[float | None]:
    """Distances as JSON, to seven digits, which is what float32 knows; nothing for infinity."""
    return [float(f"{each:.7g}") if np.isfinite(each) else None for each in distances.tolist()]


def median(distances: Array) -> float | None:
    """The median; None where there are none, or where half of them are infinite."""
    if not len(distances):
        return None
    middle = np.median(distances)
    return float(middle) if np.isfinite(middle) else None
