"""Arrays of images brought to one form: uint8 `(n, 3, size, size)`. Where they come from is elsewhere."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Up to this many pixels a side, zeros are added rather than pixels invented: 28 to 32, as is usual for MNIST.
LARGEST_PADDING = 4


def fit(images: Array, size: int, *, pad: bool = True) -> Array:
    """Images as uint8 `(n, 3, size, size)`.

    Args:
        images: uint8 `(n, h, w)`, `(n, h, w, 1)` or `(n, h, w, 3)`; grey becomes three equal channels.
        size: the height and width in pixels that are wanted.
        pad: whether images that are a little smaller (4 pixels a side at most) get a border of zeros; all others
            are resized bilinearly.
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
    """What `fit` does to images of this shape, one sentence a change."""
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
    """Zeros before and after for height and width, or None where padding is not the way."""
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
