"""Converts arrays of images to uint8 `(n, 3, size, size)`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Up to so many pixels are added on each side as zeros, without resizing: 28 becomes 32, as is usual for MNIST.
LARGEST_PADDING = 4


def fit(images: Array, size: int, *, pad: bool = True) -> Array:
    """Images as uint8 `(n, 3, size, size)`.

    Args:
        images: uint8 `(n, h, w)`, `(n, h, w, 1)` or `(n, h, w, 3)`; grey becomes three equal channels.
        size: the height and width of the result in pixels.
        pad: whether images that are smaller by at most 4 pixels on each side get a border of zeros. All others are
            resized bilinearly.
    """
    grey = images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images
    if border := _border(grey.shape[1:3], size) if pad else None:
        square = np.pad(grey, [(0, 0), *border] + [(0, 0)] * (grey.ndim - 3))
    else:
        square = _resize(grey, size)
    if square.ndim == 3:
        return np.repeat(square[:, None], 3, axis=1)
    return np.ascontiguousarray(square.transpose(0, 3, 1, 2))


def describe_fit(shape: Sequence[int], size: int, *, pad: bool = True) -> tuple[str, ...]:
    """A sentence for each change that `fit` makes to images of this shape."""
    height, width = shape[1:3]
    notes = []
    if len(shape) == 3 or shape[3] == 1:
        notes.append("grey images became three equal channels")
    if (height, width) != (size, size):
        padded = pad and _border((height, width), size) is not None
        how = "padded with zeros" if padded else "resized bilinearly"
        notes.append(f"images of {height} x {width} pixels were {how} to {size} x {size}")
    return tuple(notes)


def _border(shape: Sequence[int], size: int) -> list[tuple[int, int]] | None:
    """The numbers of zeros before and after, for height and width; None if the images are to be resized."""
    missing = [size - length for length in shape]
    if min(missing) < 0 or max(missing) > 2 * LARGEST_PADDING:
        return None
    return [(pixels // 2, pixels - pixels // 2) for pixels in missing]


def _resize(images: Array, size: int) -> Array:
    from PIL import Image

    resized = np.empty((len(images), size, size, *images.shape[3:]), dtype=np.uint8)
    for index, image in enumerate(images):
        resized[index] = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    return resized
