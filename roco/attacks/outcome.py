"""What an attack did to each image: the distance of the misclassified image that it made. No networks here."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from roco.storage.records import Frozen

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Outcome:
    """Distances of the misclassified images that an attack made, in [0, 1] units.

    Attributes:
        l2: `(n,)`; infinite where the image is still right, 0 where it was wrong from the start.
        linf: the same in the largest change of a value.
        failures: how many outputs of the attack were not finite or broke its budget; they are no successes.
        found_by: for each image the method of the stage that fooled the network; empty text if no stage did. An empty
            tuple if this is not known.
    """

    l2: Array
    linf: Array
    failures: int = 0
    found_by: tuple[str, ...] = ()

    @property
    def robust(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images are still right, `(n,)`."""
        return np.isinf(self.linf)

    def first(self, images: int) -> Self:
        """The outcome for the first images alone; `failures` stays, as it is not counted by image."""
        return replace(self, l2=self.l2[:images], linf=self.linf[:images], found_by=self.found_by[:images])

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

    def record(self) -> "OutcomeRecord":
        """The form that a file holds."""
        return OutcomeRecord(l2=plain(self.l2), linf=plain(self.linf), failures=self.failures, found_by=self.found_by)

    @classmethod
    def joined(cls, parts: "Sequence[OutcomeRecord]") -> Self:
        """The outcome for all images, from parts in the order of the images."""

        def distances(of_parts: Iterable[Sequence[float | None]]) -> Array:
            return np.array([np.inf if each is None else each for part in of_parts for each in part], dtype=np.float64)

        return cls(
            l2=distances(part.l2 for part in parts),
            linf=distances(part.linf for part in parts),
            failures=sum(part.failures for part in parts),
            found_by=tuple(method for part in parts for method in part.found_by),
        )


class OutcomeRecord(Frozen):
    """An `Outcome` in a file: None stands for infinity."""

    l2: tuple[float | None, ...]
    linf: tuple[float | None, ...]
    failures: int
    found_by: tuple[str, ...]


def nearest(distances: Sequence[Array]) -> Array:
    """For each image the smallest distance over several attacks: the worst case per image."""
    smallest: Array = np.minimum.reduce(list(distances))
    return smallest


def marks(images: np.ndarray[Any, np.dtype[np.bool_]]) -> str:
    """One character per image: 1 if it is marked, else 0."""
    return "".join("1" if marked else "0" for marked in images.tolist())


def plain(distances: Array) -> tuple[float | None, ...]:
    """Distances to seven digits, which is what float32 knows; None for infinity."""
    return tuple(float(f"{each:.7g}") if np.isfinite(each) else None for each in distances.tolist())


def median(distances: Array) -> float | None:
    """The median; None where there are none, or where half of them are infinite."""
    if not len(distances):
        return None
    middle = np.median(distances)
    return float(middle) if np.isfinite(middle) else None
