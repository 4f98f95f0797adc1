"""The images that an external network is evaluated on: a published test set, an npz, a folder, a study's test set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roco.data.dataset import Dataset, Split, make_dataset, read_source
from roco.data.images import fit
from roco.data.sets import DATA_SETS
from roco.data.sets.image_folder import read_class_folders
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]

# Names of images and labels in an npz: Keras's test set first.
ARRAYS = (("x_test", "y_test"), ("images", "labels"), ("x", "y"))
USUAL_SIZE = 32
# How far a float may be from a multiple of 1/255.
EIGHT_BITS = 0.01


@dataclass(frozen=True)
class TestImages:
    """Labelled test images.

    Attributes:
        title: of the data set.
        split: images uint8 `(n, 3, size, size)`, and labels.
        class_names: in the order of the labels; empty if unknown.
    """

    title: str
    split: Split
    class_names: tuple[str, ...] = ()


def read_images(name: str, *, image_size: int | None = None) -> TestImages:
    """The test images of a name.

    Args:
        name: a published data set (`cifar10`), an .npz file, a folder with a folder for each class (perhaps below
            `test/`), or the dataset.h5 of a study.
        image_size: height and width of the result; if not given, that of the images, for folders 32.

    Raises:
        DatasetError: there are no such images, or they cannot be used.
        ArtifactError: the .h5 file is damaged or no data set.
    """
    path = Path(name).expanduser()
    if (known := DATA_SETS.get(name)) and not known.users_own:
        pixels = known.pixels[0] if known.pixels else USUAL_SIZE
        return _published(DatasetConfig(name=name, image_size=image_size or max(16, pixels)))
    if not path.exists():
        published = ", ".join(key for key, data_set in DATA_SETS.items() if not data_set.users_own)
        raise DatasetError(f"{name}: expected a data set ({published}), an .npz file, a folder, or a dataset.h5")
    if path.is_dir():
        folder = path / "test" if (path / "test").is_dir() else path
        pool, names = read_class_folders(folder, image_size or USUAL_SIZE)
        return TestImages(path.absolute().name, Split(pool.take(np.arange(len(pool.labels))), pool.labels), names)
    if path.suffix == ".h5":
        dataset = Dataset.load(path)
        _check_size(path, dataset.image_size, image_size)
        return TestImages(dataset.name, dataset.test, dataset.class_names)
    return TestImages(path.name, _from_npz(path, image_size))


def _published(config: DatasetConfig) -> TestImages:
    source = read_source(config)
    if source.test is None:
        # A set without test images is split as a study splits it.
        return TestImages(config.source.title, make_dataset(config).test, source.class_names)
    everything = np.arange(len(source.test.labels))
    return TestImages(config.source.title, Split(source.test.take(everything), source.test.labels), source.class_names)


def _check_size(path: Path, size: int, wanted: int | None) -> None:
    if wanted not in (None, size):
        raise DatasetError(f"{path}: its images have {size} x {size} pixels, and --image-size asks for {wanted}")


def _from_npz(path: Path, image_size: int | None) -> Split:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = next((pair for pair in ARRAYS if set(pair) <= set(archive)), None)
            arrays = [archive[name] for name in names] if names else []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: cannot be read as an .npz file ({' '.join(str(error).split())[:100]})") from None
    if not arrays:
        raise DatasetError(f"{path}: expected the arrays {' or '.join(' and '.join(pair) for pair in ARRAYS)}")
    images, labels = _eight_bits(path, _channels_last(path, arrays[0])), arrays[1].reshape(-1)
    if labels.dtype.kind not in "iu" or len(labels) != len(images) or labels.min(initial=0) < 0:
        raise DatasetError(
            f"{path}: expected {len(images)} labels from 0 on, got {labels.dtype} of shape {arrays[1].shape}"
        )
    height, width = images.shape[1:3]
    if height != width and image_size is None:
        raise DatasetError(
            f"{path}: its images have {height} x {width} pixels; choose a height and width with --image-size"
        )
    return Split(fit(images, image_size or height), labels.astype(np.int64))


def _channels_last(path: Path, images: Array) -> Array:
    """Images `(n, h, w)` or `(n, h, w, 1 or 3)`; also from torch's order of channels."""
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] not in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,)) or not images.size:
        raise DatasetError(f"{path}: expected images (n, h, w, 3) or (n, 3, h, w), got the shape {images.shape}")
    return images


def _eight_bits(path: Path, images: Array) -> Array:
    """Images as uint8; floats in [0, 1] count if they are multiples of 1/255, as decoded images are."""
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DatasetError(f"{path}: expected images as uint8 or as numbers in [0, 1], got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise DatasetError(
            f"{path}: expected values in [0, 1], got {low:.3g} to {high:.3g}; give images before they are normalised, "
            "and the normalisation with --mean and --std"
        )
    levels = images * 255.0
    if np.abs(levels - levels.round()).max() > EIGHT_BITS:
        raise DatasetError(f"{path}: expected 8-bit images, got values between the multiples of 1/255")
    return levels.round().astype(np.uint8)
