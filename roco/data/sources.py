"""Readers of the sources that a data set can come from. Splitting, limiting and storing are in `dataset`."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roco.config import DatasetConfig
from roco.data.pools import LabelledArrays, Pool, Source, source_of_arrays
from roco.data.published import read_cifar, read_digits, read_fashion_mnist, read_svhn
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]

NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


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
        raise DatasetError(f"{where}: expected uint8 values from 0 to 255, got {images.dtype}")
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,)) or not images.size:
        raise DatasetError(f"{where}: expected shape (n, h, w), (n, h, w, 1) or (n, h, w, 3), got {images.shape}")
    return images


def _checked_labels(labels: Array, where: str) -> Array:
    # Keras gives the labels of CIFAR as a column.
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iu" or not flat.size:
        raise DatasetError(f"{where}: expected integers of shape (n,), got {labels.dtype} of shape {labels.shape}")
    return flat


def read_image_folder(config: DatasetConfig) -> Source:
    """Images in path/train/CLASS/ and path/test/CLASS/, in the order of their sorted names."""
    root, size = Path(str(config.path)), config.image_size
    train_names, test_names = (_class_folders(root / part) for part in ("train", "test"))
    if different := sorted(set(train_names) ^ set(test_names)):
        raise DatasetError(
            f"{root}: expected the same classes in train and test, only one of them has '{different[0]}'"
        )
    train, test = (_folder_pool(root / part, train_names, size) for part in ("train", "test"))
    files = [path for part in ("train", "test") for name in train_names for path in _images_in(root / part / name)]
    return Source(train_names, train, test, _describe_resizing(files, size))


def _describe_resizing(files: Sequence[Path], size: int) -> tuple[str, ...]:
    """What resizing does to images of these shapes, from their headers; one that cannot be read is named when it is."""
    from PIL import Image

    shapes = set()
    for path in files:
        with contextlib.suppress(OSError, EOFError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError):
            with Image.open(path) as image:
                shapes.add((image.height, image.width))
    if shapes <= {(size, size)}:
        return ()
    smallest, largest = (f"{height} x {width}" for height, width in (min(shapes), max(shapes)))
    which = f"of {smallest} pixels" if len(shapes) == 1 else f"of {len(shapes)} shapes ({smallest} to {largest} pixels)"
    stretched = ", those that are not square stretched" if any(height != width for height, width in shapes) else ""
    return (f"images {which} were resized bilinearly to {size} x {size}{stretched}",)


def _class_folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; an image_folder has its images in train/CLASS/ and test/CLASS/")
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def _folder_pool(folder: Path, class_names: tuple[str, ...], size: int) -> Pool:
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = _images_in(folder / name)
        if not found:
            raise DatasetError(f"{folder / name}: expected images ({', '.join(IMAGE_SUFFIXES)}), found none")
        files += found
        labels += [label] * len(found)

    def take(indices: Array) -> Array:
        images = np.empty((len(indices), 3, size, size), dtype=np.uint8)
        for row, index in enumerate(indices):
            images[row] = _read_image(files[index], size)
        return images

    return Pool(np.array(labels, dtype=np.int64), take)


def _read_image(path: Path, size: int) -> Array:
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise DatasetError(f"{path}: expected 8 bits a channel, got mode {image.mode}; convert it first")
            resized = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, EOFError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path}: cannot be read as an image ({type(error).__name__})") from None
    return np.asarray(resized).transpose(2, 0, 1)
