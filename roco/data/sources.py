"""Readers of the sources that a data set can come from. Splitting, limiting and storing are in `dataset`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from roco.data.folders import read_image_folder
from roco.data.pools import LabelledArrays, Source, source_of_arrays
from roco.data.published import read_cifar, read_digits, read_fashion_mnist, read_svhn
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_source(config: DatasetConfig) -> Source:
    """The labelled images of the configured data set.

    Raises:
        DatasetError: they are missing, damaged, or not what their format promises.
    """
    readers: dict[str, Callable[[DatasetConfig], Source]] = {
        "digits": read_digits,
        "cifar10": read_cifar,
        "cifar100": read_cifar,
        "svhn": read_svhn,
        "fashion_mnist": read_fashion_mnist,
        "npz": read_npz,
        "image_folder": read_image_folder,
    }
    source = readers[config.name](config)
    if len(source.class_names) < 2:
        raise DatasetError(f"{config.path}: expected images of at least 2 classes, found {len(source.class_names)}")
    return source


def read_npz(config: DatasetConfig) -> Source:
    """An .npz file with the arrays that Keras names: x_train, y_train, x_test, y_test."""
    where = str(config.path)
    arrays = dict(zip(NPZ_KEYS, _npz_arrays(where), strict=True))
    train, test = (
        LabelledArrays(
            _checked_images(arrays[f"x_{part}"], f"{where}: x_{part}"),
            _checked_labels(arrays[f"y_{part}"], f"{where}: y_{part}"),
        )
        for part in ("train", "test")
    )
    # Labels are to be contiguous, so their largest value says how many classes there are; a label far out of range
    # shows as a class without images.
    classes = min(int(train.labels.max()) + 1, len(train.labels) + 1)
    names = tuple(map(str, range(classes)))
    return source_of_arrays(train, test, class_names=names, size=config.image_size, where=where)


def _npz_arrays(where: str) -> list[Array]:
    try:
        # Opened here: NumPy leaves a file that it opens itself open when it is damaged.
        with Path(where).open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{where}: expected an .npz file with {', '.join(NPZ_KEYS)}, got a single array")
            if absent := [key for key in NPZ_KEYS if key not in archive]:
                raise DatasetError(f"{where}: expected the arrays {', '.join(NPZ_KEYS)}, found no {absent[0]}")
            return [archive[key] for key in NPZ_KEYS]
    except DatasetError:
        raise
    except Exception as error:
        # What zipfile, zlib and NumPy raise on damaged bytes is open-ended, and nothing else runs in here.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise DatasetError(f"{where}: cannot be read as an .npz file ({reason})") from None


def _checked_images(images: Array, where: str) -> Array:
    if images.dtype != np.uint8:
        advice = "; multiply values in [0, 1] by 255 and round them first" if images.dtype.kind in "fb" else ""
        raise DatasetError(f"{where}: expected uint8 values from 0 to 255, got {images.dtype}{advice}")
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,)) or not images.size:
        raise DatasetError(f"{where}: expected shape (n, h, w), (n, h, w, 1) or (n, h, w, 3), got {images.shape}")
    return images


def _checked_labels(labels: Array, where: str) -> Array:
    # Keras gives the labels of CIFAR as a column.
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iu" or not flat.size:
        raise DatasetError(f"{where}: expected integers of shape (n,), got {labels.dtype} of shape {labels.shape}")
    return flat
