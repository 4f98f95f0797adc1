"""Refuses images that are intact but cannot be right: values in another range, or images that are all equal."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from roco.errors import DatasetError

Array = np.ndarray[Any, Any]

# If no value is larger than this, the images are darker than those of any camera or drawing program.
DARK = 128


def check_range(name: str, parts: Sequence[Array]) -> str | None:
    """Checks the largest value of all images. Budgets of attacks are in 1/255, so a wrong range would go unnoticed.

    Args:
        name: of the data set.
        parts: images, uint8.

    Returns:
        A warning if the images are much darker than 0 to 255 allows.

    Raises:
        DatasetError: there are no values but 0 and 1.
    """
    largest = max(int(images.max()) for images in parts)
    if largest <= 1:
        raise DatasetError(
            f"{name}: expected values from 0 to 255, got none above {largest} in all images; if they were made from "
            "values in [0, 1], multiply by 255 before they become uint8"
        )
    if largest < DARK:
        return (
            f"the largest value of all images is {largest} of 255: if they have another range, such as 0 to {largest}, "
            f"multiply them to 0 to 255, as the attacks' budgets are in 1/255"
        )
    return None


def check_difference(name: str, images: Array, labels: Array, class_names: Sequence[str]) -> None:
    """Refuses images from which nothing can be learned.

    Args:
        name: of the data set.
        images: of training, uint8 `(n, 3, h, w)`.
        labels: int64 `(n,)`.
        class_names: in the order of the labels.

    Raises:
        DatasetError: all images are equal, or all of a class that has several.
    """
    if _all_equal(images, np.arange(len(images))):
        raise DatasetError(f"{name}: expected images that differ, got {len(images)} training images that are all equal")
    for label, title in enumerate(class_names):
        members = np.flatnonzero(labels == label)
        if len(members) > 1 and _all_equal(images, members):
            raise DatasetError(
                f"{name}: expected images of class '{title}' that differ, got {len(members)} training images that are "
                "all equal; leave the class out or give it its images"
            )


def _all_equal(images: Array, members: Array) -> bool:
    first = images[members[0]]
    return all(np.array_equal(images[member], first) for member in members[1:])
