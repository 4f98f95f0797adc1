"""The result of every reader: labels at once, and images only when they are chosen, so that a limit saves reading."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from roco.data.images import describe_fit, fit
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Pool:
    """Labelled images to choose from.

    Attributes:
        labels: int64 `(n,)`, from 0.
        take: the images at the given indices, uint8 `(len(indices), 3, size, size)`.
    """

    labels: Array
    take: Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class Source:
    """The images of a source; `test` is None if the source has no test images of its own."""

    class_names: tuple[str, ...]
    train: Pool
    test: Pool | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LabelledArrays:
    """Images and labels of a file: uint8 `(n, h, w)` or `(n, h, w, 1 or 3)`, and integers `(n,)`."""

    images: Array
    labels: Array


def source_of_arrays(
    train: LabelledArrays, test: LabelledArrays, *, class_names: tuple[str, ...], size: int, where: str
) -> Source:
    """The source of two labelled arrays. Images are resized or padded to `size` pixels when they are taken.

    Raises:
        DatasetError: numbers of images and labels differ, a label is out of range, or a class has no training image.
    """
    for name, part in (("training", train), ("test", test)):
        if len(part.images) != len(part.labels):
            raise DatasetError(
                f"{where}: expected a label for each of the {len(part.images)} {name} images, got {len(part.labels)}"
            )
        outside = part.labels[(part.labels < 0) | (part.labels >= len(class_names))]
        if len(outside):
            raise DatasetError(f"{where}: expected {name} labels 0 to {len(class_names) - 1}, got {outside[0]}")
    if len(absent := np.setdiff1d(np.arange(len(class_names)), train.labels)):
        raise DatasetError(f"{where}: expected training images of every class, found none of class {absent[0]}")
    notes = dict.fromkeys(note for part in (train, test) for note in describe_fit(part.images.shape, size))
    return Source(class_names, _pool(train, size), _pool(test, size), tuple(notes))


def _pool(arrays: LabelledArrays, size: int) -> Pool:
    return Pool(arrays.labels.astype(np.int64), lambda indices: fit(arrays.images[indices], size))
