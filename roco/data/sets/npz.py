"""The user's own images in an .npz file with the four arrays that Keras names."""

from pathlib import Path
from typing import Any

import numpy as np

from roco.data.declaration import DataSet, NamedFile, Sizes
from roco.data.pools import LabelledArrays, Source, source_of_arrays
from roco.errors import DatasetError, in_one_line

Array = np.ndarray[Any, Any]

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path, image_size: int) -> Source:
    """An .npz file with the arrays x_train, y_train, x_test and y_test."""
    where = str(path)
    arrays = dict(zip(NPZ_KEYS, _npz_arrays(where), strict=True))
    train, test = (
        LabelledArrays(
            _checked_images(arrays[f"x_{part}"], f"{where}: x_{part}"),
            _checked_labels(arrays[f"y_{part}"], f"{where}: y_{part}"),
        )
        for part in ("train", "test")
    )
    # Labels have to be contiguous, so the largest label gives the number of classes. If a label is far too large, the
    # error is that a class has no images.
    classes = min(int(train.labels.max()) + 1, len(train.labels) + 1)
    names = tuple(map(str, range(classes)))
    return source_of_arrays(train, test, class_names=names, size=image_size, where=where)


def _npz_arrays(where: str) -> list[Array]:
    try:
        # Opened here, because NumPy does not close a damaged file that it has opened itself.
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
        # zipfile, zlib and NumPy can raise any error for damaged bytes. No other code runs in this block.
        reason = in_one_line(f"{type(error).__name__}: {error}", 120)
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


def _read_sizes(path: Path) -> Sizes | None:
    """Numbers of images without reading the images; the number of classes is not known, so ten are assumed."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return Sizes(len(archive["y_train"]), len(archive["y_test"]), classes=10)
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _files(path: Path) -> list[NamedFile]:
    # Fingerprinted without its name: the same content is the same source.
    return [("", path)]


DATA_SET = DataSet(
    name="npz", title="Your own arrays", read=read_npz, read_sizes=_read_sizes, files=_files, users_own=True
)
