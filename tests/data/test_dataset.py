"""The data set: splits that share nothing, keep the classes' shares, come from the seed alone, and survive a file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roco.data.dataset import SPLITS, Dataset, channel_statistics, make_dataset
from roco.data.settings import DatasetConfig
from roco.errors import ArtifactError, DatasetError
from roco.storage.artifacts import write_arrays


def numbered(labels: np.ndarray[Any, Any], first: int) -> np.ndarray[Any, Any]:
    """Images that carry their own number, so that each can be found again: uint8 `(n, 16, 16, 3)`."""
    numbers = np.arange(first, first + len(labels))
    images = np.zeros((len(labels), 16, 16, 3), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = numbers // 256, numbers % 256
    return images


def numbers_of(images: np.ndarray[Any, Any]) -> list[int]:
    return (images[:, 0, 0, 0].astype(int) * 256 + images[:, 1, 0, 0]).tolist()


def npz(path: Path, train_counts: list[int], test_counts: list[int]) -> Path:
    """A file with so many images of each class, classes in turn mixed by a fixed shuffle; test images from 1000."""
    arrays = {}
    for part, counts, first in (("train", train_counts, 0), ("test", test_counts, 1000)):
        labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
        arrays |= {f"x_{part}": numbered(labels, first), f"y_{part}": labels}
    np.savez(path, **arrays)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return npz(tmp_path / "images.npz", [40, 40, 20], [20, 20, 10])


def make(path: Path, **settings: Any) -> Dataset:
    settings = {"validation_fraction": 0.1} | settings
    return make_dataset(DatasetConfig(name="npz", path=str(path), image_size=16, **settings))


def test_validation_images_are_cut_from_the_training_images_class_by_class(path: Path) -> None:
    dataset = make(path)
    assert [len(dataset.split(name)) for name in SPLITS] == [90, 10, 50]
    assert np.bincount(dataset.train.labels).tolist() == [36, 36, 18]
    assert np.bincount(dataset.validation.labels).tolist() == [4, 4, 2]
    train, validation = numbers_of(dataset.train.images), numbers_of(dataset.validation.images)
    assert sorted(train + validation) == list(range(100))
    assert numbers_of(dataset.test.images) == list(range(1000, 1050))
    for split in (dataset.train, dataset.validation):
        labels = np.load(path)["y_train"]
        assert split.labels.tolist() == [labels[number] for number in numbers_of(split.images)]


def test_what_a_dataset_says_of_itself(path: Path) -> None:
    dataset = make(path)
    assert (dataset.name, dataset.classes, dataset.image_size) == ("npz", 3, 16)
    assert dataset.class_names == ("0", "1", "2")
    for name in SPLITS:
        split = dataset.split(name)
        assert split.images.dtype == np.uint8
        assert split.images.shape == (len(split), 3, 16, 16)
        assert split.labels.dtype == np.int64


def test_limits_keep_the_classes_shares(path: Path) -> None:
    dataset = make(path, train_images=50, test_images=25, validation_fraction=0.2)
    assert np.bincount(dataset.train.labels).tolist() == [16, 16, 8]
    assert np.bincount(dataset.validation.labels).tolist() == [4, 4, 2]
    assert np.bincount(dataset.test.labels).tolist() == [10, 10, 5]
    assert not set(numbers_of(dataset.train.images)) & set(numbers_of(dataset.validation.images))
    assert dataset.notes == (
        "train_images: limited to 50 of 100 (seed 0)",
        "test_images: limited to 25 of 50 (seed 0)",
    )


def test_a_limit_of_all_images_changes_nothing(path: Path) -> None:
    assert make(path, train_images=100, test_images=50).fingerprint == make(path).fingerprint


def test_the_seed_alone_decides(path: Path) -> None:
    first, again, other = make(path, test_images=20), make(path, test_images=20), make(path, test_images=20, seed=1)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    for name in SPLITS:
        np.testing.assert_array_equal(first.split(name).images, again.split(name).images)
        assert numbers_of(first.split(name).images) != numbers_of(other.split(name).images)


def test_digits_get_a_test_cut_that_other_settings_leave_alone() -> None:
    whole = make_dataset(DatasetConfig(name="digits", image_size=16))
    assert [len(whole.split(name)) for name in SPLITS] == [1150, 288, 359]
    assert np.abs(np.bincount(whole.test.labels) - 35.9).max() < 2
    assert any("359 of 1797 images were cut off as test images (seed 0)" in note for note in whole.notes)
    limited = make_dataset(DatasetConfig(name="digits", image_size=16, train_images=100, validation_fraction=0.3))
    np.testing.assert_array_equal(limited.test.images, whole.test.images)
    assert [len(limited.split(name)) for name in SPLITS] == [70, 30, 359]
    everywhere = np.concatenate([whole.split(name).images for name in SPLITS])
    # Two of the scanned digits occur twice.
    assert len(np.unique(everywhere.reshape(len(everywhere), -1), axis=0)) >= 1795


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=4),
    fraction=st.floats(0.01, 0.99),
    limit=st.none() | st.integers(2, 120),
    seed=st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_any_demand_is_met_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], fraction: float, limit: int | None, seed: int
) -> None:
    path = npz(tmp_path_factory.mktemp("any") / "images.npz", counts, [1] * len(counts))
    try:
        dataset = make(path, validation_fraction=fraction, train_images=limit, seed=seed)
    except DatasetError as error:
        line = str(error)
    else:
        line = ""
    if line:
        assert line.startswith("dataset")
        assert "\n" not in line
        return
    total = sum(counts) if limit is None else limit
    train, validation = numbers_of(dataset.train.images), numbers_of(dataset.validation.images)
    assert len(set(train + validation)) == len(train) + len(validation) == total
    assert len(validation) == round(fraction * total)
    assert set(dataset.train.labels) == set(dataset.validation.labels) == set(range(len(counts)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_images": 101}, "dataset.train_images: expected at most 100, which is all there are, got 101"),
        ({"test_images": 51}, "dataset.test_images: expected at most 50, which is all there are, got 51"),
        ({"train_images": 2}, "dataset.train_images: expected a cut of 100 images with 3 classes"),
        ({"validation_fraction": 0.01}, "dataset.validation_fraction: expected a cut of 100 images with 3 classes"),
        ({"validation_fraction": 0.99}, "leaves at least 3 on either side, got 99 and 1"),
        ({"train_images": 10, "validation_fraction": 0.2}, "dataset.validation_fraction: expected a cut of 10"),
    ],
)
def test_too_few_images_are_refused(path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        make(path, **settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_that_cannot_be_on_both_sides_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"dataset\.validation_fraction: cannot be cut class by class .*only 1"):
        make(npz(tmp_path / "a.npz", [50, 1], [1, 1]))
    with pytest.raises(DatasetError, match="expected validation images of every class, got none of '1' among 10"):
        make(npz(tmp_path / "b.npz", [98, 2], [1, 1]))


def test_channel_statistics_by_hand() -> None:
    images = np.zeros((2, 3, 2, 2), dtype=np.uint8)
    images[0, 0] = 255
    images[:, 1] = 51
    images[0, 2, 0, 0] = 255
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((0.5, 0.2, 0.125))
    # A constant channel has a spread of zero, which nothing can be divided by.
    assert std == pytest.approx((0.5, 1e-3, (0.125 * 0.875) ** 0.5))


def test_channel_statistics_are_those_of_the_training_images_alone() -> None:
    dataset = make_dataset(DatasetConfig(name="digits", image_size=16))
    pixels = dataset.train.images.astype(np.float64) / 255
    assert dataset.channel_mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=1e-12)
    assert dataset.channel_std == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=1e-12)


def test_the_fingerprint_sees_every_array(tmp_path: Path) -> None:
    base = npz(tmp_path / "images.npz", [10, 10], [5, 5])
    fingerprints = {make(base, validation_fraction=0.2).fingerprint}
    for key in ("x_train", "x_test", "y_test"):
        arrays = dict(np.load(base))
        arrays[key] = arrays[key].copy()
        arrays[key].flat[-1] ^= 1
        np.savez(tmp_path / f"{key}.npz", **arrays)
        fingerprints.add(make(tmp_path / f"{key}.npz", validation_fraction=0.2).fingerprint)
    assert len(fingerprints) == 4
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)


def test_a_saved_dataset_is_the_same_when_loaded(path: Path, tmp_path: Path) -> None:
    dataset = make(path, train_images=50)
    dataset.save(tmp_path / "a.h5")
    loaded = Dataset.load(tmp_path / "a.h5")
    for field in dataclasses.fields(Dataset):
        if field.name not in SPLITS:
            assert getattr(loaded, field.name) == getattr(dataset, field.name)
    for name in SPLITS:
        np.testing.assert_array_equal(loaded.split(name).images, dataset.split(name).images)
        np.testing.assert_array_equal(loaded.split(name).labels, dataset.split(name).labels)
    make(path, train_images=50).save(tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_dataset_file_that_lacks_something_is_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5", "dataset", {"train_images": np.zeros(3)}, {})
    with pytest.raises(ArtifactError, match=r"a\.h5: expected a data set, found no 'train_labels'"):
        Dataset.load(tmp_path / "a.h5")
