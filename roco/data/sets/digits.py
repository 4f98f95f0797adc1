"""Handwritten digits of scikit-learn. Source: UCI, Optical Recognition of Handwritten Digits."""

from pathlib import Path

import numpy as np

from roco.data.declaration import DataSet, Sizes
from roco.data.images import describe_fit, fit
from roco.data.pools import Pool, Source


def read_digits(_: Path, image_size: int) -> Source:
    """Images of 8 x 8 pixels and 17 grey levels; test images are cut off later."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    # Never padded: eight pixels in the middle of nothing would waste most of every network's work.
    train = Pool(digits.target.astype(np.int64), lambda indices: fit(images[indices], image_size, pad=False))
    names = tuple(str(name) for name in digits.target_names)
    return Source(names, train, None, describe_fit(images.shape, image_size, pad=False))


DATA_SET = DataSet(
    name="digits",
    title="Handwritten digits (UCI)",
    read=read_digits,
    pixels=(8, 8, 1),
    sizes=Sizes(train=1438, test=359, classes=10),
)
