"""The data set of a study: training, validation and test images with labels, and a fingerprint. Readers: sets/."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from roco.data.origin import source_fingerprint
from roco.data.plausible import check_difference, check_range
from roco.data.pools import Pool, Source
from roco.data.settings import DatasetConfig
from roco.errors import ArtifactError, DatasetError
from roco.runtime import seed_from
from roco.storage.artifacts import read_arrays, read_attributes, read_lengths, schema, write_arrays

log = logging.getLogger("roco")

Array = np.ndarray[Any, Any]
SplitName = Literal["train", "validation", "test"]

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
# What a file holds for each split, and for the data set as a whole.
_PARTS = ("images", "labels")
_FACTS = (
    "name", "class_names", "image_size", "channel_mean", "channel_std", "fingerprint", "notes", "source_fingerprint",
)  # fmt: skip
# The share of images that become test images if the source has no test images of its own.
TEST_FRACTION = 0.2
# Networks divide by the standard deviation, which is zero for a constant channel.
SMALLEST_STD = 1e-3


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels.

    Attributes:
        images: uint8 `(n, 3, size, size)`.
        labels: int64 `(n,)`, from 0 to classes - 1.
    """

    images: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images of a study with everything that later steps need to know about them.

    Attributes:
        name: the name in the configuration.
        class_names: in the order of the labels.
        train: the images that networks are trained on.
        validation: images cut from the training images, on which choices are made.
        test: images that only the report uses.
        channel_mean: of the training images, in [0, 1].
        channel_std: of the training images, in [0, 1], at least 0.001.
        fingerprint: SHA-256 over all images and labels, in hex.
        notes: one sentence for each change of the images: resized, padded, converted, limited.
        source_fingerprint: SHA-256 over the source files, in hex; None if the images come with a package.
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    channel_mean: tuple[float, ...]
    channel_std: tuple[float, ...]
    fingerprint: str
    notes: tuple[str, ...]
    source_fingerprint: str | None = None

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def image_size(self) -> int:
        """The height and width of every image in pixels."""
        return int(self.train.images.shape[2])

    def split(self, name: SplitName) -> Split:
        """The split of that name."""
        split: Split = getattr(self, name)
        return split

    def save(self, path: str | Path) -> None:
        """Writes the data set as an HDF5 artifact of kind `dataset`."""
        splits = {name: self.split(name) for name in SPLITS}
        arrays = {f"{name}_{part}": getattr(split, part) for name, split in splits.items() for part in _PARTS}
        write_arrays(path, "dataset", arrays, {name: getattr(self, name) for name in _FACTS})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The data set that `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged, or no data set.
        """
        arrays, attributes = read_arrays(path, "dataset")
        fields: dict[str, Any] = {}
        try:
            for split in SPLITS:
                fields[split] = Split(*(arrays[f"{split}_{part}"] for part in _PARTS))
            for name in _FACTS:
                # The first versions did not keep the source's fingerprint.
                fact = attributes.get(name) if name == "source_fingerprint" else attributes[name]
                fields[name] = tuple(fact) if isinstance(fact, list) else fact
        except KeyError as error:
            raise ArtifactError(f"{path}: expected a data set, found no {error}; delete it and make it anew") from None
        # A property of the images.
        del fields["image_size"]
        return cls(**fields)


def make_dataset(config: DatasetConfig) -> Dataset:
    """Reads, limits and splits the configured data set. The same configuration gives the same bytes.

    Images keep the order of their source within a split, so the splits of an image folder are sorted by class.

    Raises:
        DatasetError: the images are missing or damaged, or are too few for what is asked.
    """
    # Published sources may be downloaded while they are read.
    before = source_fingerprint(config) if config.source.users_own else None
    source = read_source(config)
    notes = list(source.notes)
    test_pool, train, test = _train_and_test(source, config, notes)
    train = _limited(train, source.train.labels, config, key="train_images", notes=notes)
    test = _limited(test, test_pool.labels, config, key="test_images", notes=notes)
    count = round(config.validation_fraction * len(train))
    validation, train = _cut(train, source.train.labels, count, seed=config.seed, key="validation_fraction")
    _check_classes(source, {"training": train, "validation": validation})
    splits = [_take(source.train, train), _take(source.train, validation), _take(test_pool, test)]
    if warning := check_range(config.title, [split.images for split in splits]):
        log.warning("%s: %s", config.title, warning)
        notes.append(warning)
    check_difference(config.title, splits[0].images, splits[0].labels, source.class_names)
    after = source_fingerprint(config)
    if before is not None and before != after:
        raise DatasetError(f"{config.title}: was changed while it was read; run again")
    mean, std = channel_statistics(splits[0].images)
    dataset = Dataset(
        name=config.name,
        class_names=source.class_names,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        channel_mean=mean,
        channel_std=std,
        fingerprint=_fingerprint(splits),
        notes=tuple(notes),
        source_fingerprint=after,
    )
    sizes = ", ".join(f"{len(dataset.split(name))} {name}" for name in SPLITS)
    log.info("%s: %d classes, images: %s", config.name, dataset.classes, sizes)
    for note in notes:
        log.info("%s: %s", config.name, note)
    return dataset


def read_source(config: DatasetConfig) -> Source:
    """The labelled images of the configured data set.

    Raises:
        DatasetError: they are missing, damaged, or not what their format promises.
    """
    source = config.source.read(config.source_path, config.image_size)
    if (classes := len(source.class_names)) < 2:
        raise DatasetError(f"{config.path or config.name}: expected images of at least 2 classes, found {classes}")
    return source


def _train_and_test(source: Source, config: DatasetConfig, notes: list[str]) -> tuple[Pool, Array, Array]:
    """The pool of the test images, and the indices of training (with validation) and test images in their pools."""
    everything = np.arange(len(source.train.labels))
    if source.test is not None:
        return source.test, everything, np.arange(len(source.test.labels))
    count = round(TEST_FRACTION * len(everything))
    test, train = _cut(everything, source.train.labels, count, seed=config.seed, key="test")
    notes.append(f"{len(test)} of {len(everything)} images were cut off as test images (seed {config.seed})")
    return source.train, train, test


def _limited(
    indices: Array,
    labels: Array,
    config: DatasetConfig,
    *,
    key: Literal["train_images", "test_images"],
    notes: list[str],
) -> Array:
    limit: int | None = getattr(config, key)
    if limit is None or limit == len(indices):
        return indices
    if limit > len(indices):
        raise DatasetError(f"dataset.{key}: expected at most {len(indices)}, which is all there are, got {limit}")
    notes.append(f"{key}: limited to {limit} of {len(indices)} (seed {config.seed})")
    return _cut(indices, labels, limit, seed=config.seed, key=key)[0]


def _cut(indices: Array, labels: Array, count: int, *, seed: int, key: str) -> tuple[Array, Array]:
    """Cuts `indices` into `count` and the rest, both in rising order and with equal shares of the classes."""
    from sklearn.model_selection import train_test_split

    total, classes = len(indices), len(np.unique(labels[indices]))
    if not classes <= count <= total - classes:
        raise DatasetError(
            f"dataset.{key}: expected a cut of {total} images with {classes} classes that leaves at least {classes} on "
            f"either side, got {count} and {total - count}"
        )
    try:
        chosen, rest = train_test_split(
            indices,
            train_size=count,
            test_size=total - count,
            stratify=labels[indices],
            random_state=seed_from("dataset", key, seed) % 2**32,
        )
    except ValueError as error:
        raise DatasetError(f"dataset.{key}: cannot be cut class by class ({' '.join(str(error).split())})") from None
    return np.sort(chosen), np.sort(rest)


def _check_classes(source: Source, parts: dict[str, Array]) -> None:
    for name, indices in parts.items():
        present = source.train.labels[indices]
        if len(absent := np.setdiff1d(np.arange(len(source.class_names)), present)):
            raise DatasetError(
                f"dataset: expected {name} images of every class, got none of '{source.class_names[absent[0]]}' among "
                f"{len(indices)}; raise dataset.train_images or change dataset.validation_fraction"
            )


def _take(pool: Pool, indices: Array) -> Split:
    return Split(pool.take(indices), pool.labels[indices])


def channel_statistics(images: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel in [0, 1] units, exact, from uint8 `(n, c, h, w)`.

    It counts the 256 values, so that no floating-point copy of all images is made.
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(images), 1024):
        for channel in range(channels):
            values = images[start : start + 1024, channel].ravel()
            counts[channel] += np.bincount(values, minlength=256)
    levels = np.arange(256) / 255
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    variance = (shares * (levels - mean[:, None]) ** 2).sum(axis=1)
    std = np.maximum(np.sqrt(variance), SMALLEST_STD)
    return tuple(map(float, mean)), tuple(map(float, std))


def _fingerprint(splits: Sequence[Split]) -> str:
    checksum = hashlib.sha256()
    for split in splits:
        for array in (split.images, split.labels):
            checksum.update(f"{array.dtype.str}{array.shape}".encode())
            checksum.update(np.ascontiguousarray(array).data)
    return checksum.hexdigest()


def dataset_facts(path: str | Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The attributes of a dataset file, and the number of images of each split.

    Raises:
        ArtifactError: the file is missing, damaged, or no data set.
    """
    attributes, lengths = read_attributes(path, "dataset"), read_lengths(path)
    with schema(path, "dataset"):
        return attributes, {split: lengths[f"{split}_labels"] for split in ("train", "validation", "test")}
