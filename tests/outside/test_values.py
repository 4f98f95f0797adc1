"""Arrays that are uint8 and still not 0 to 255: all trains, and the budgets of the attacks are nonsense.

Met where images in [0, 1] are cast with `astype("uint8")`, which is what a message that wants uint8 invites; and with
scikit-learn's digits (0 to 16) and other data of few bits.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roco.data.dataset import Dataset, make_dataset
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError

Array = np.ndarray[Any, Any]


def made(folder: Path, images: Array, labels: Array | None = None) -> Dataset:
    """The data set of these images, each in training and test."""
    labels = np.arange(len(images)) % 2 if labels is None else labels
    path = folder / "mine.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return make_dataset(DatasetConfig(name="npz", path=str(path), image_size=16, validation_fraction=0.25))


def random_images(largest: int) -> Array:
    return np.random.default_rng(0).integers(0, largest + 1, (40, 16, 16, 3)).astype(np.uint8)


def test_zeros_and_ones_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        made(tmp_path, random_images(1))
    assert str(caught.value) == (
        "mine.npz: expected values from 0 to 255, got none above 1 in all images; if they were made from values in "
        "[0, 1], multiply by 255 before they become uint8"
    )


def test_black_and_white_is_no_fault(tmp_path: Path) -> None:
    assert made(tmp_path, 255 * random_images(1)).notes == ()


@pytest.mark.parametrize(("largest", "warned"), [(2, True), (16, True), (127, True), (128, False), (255, False)])
def test_a_largest_value_far_below_255_is_a_warning(
    tmp_path: Path, largest: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    images = random_images(largest)
    notes = made(tmp_path, images).notes
    line = f"the largest value of all images is {largest} of 255"
    assert any(line in note for note in notes) == warned
    found = [record for record in caplog.records if record.levelno == logging.WARNING and line in record.getMessage()]
    assert len(found) == warned


def test_images_that_are_all_equal_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected images that differ, got 30 training images that are all equal"):
        made(tmp_path, np.full((40, 16, 16, 3), 200, dtype=np.uint8))


def test_a_class_whose_images_are_all_equal_is_refused(tmp_path: Path) -> None:
    images = random_images(255)
    images[1::2] = images[1]
    with pytest.raises(DatasetError, match="expected images of class '1' that differ, got 15 training images that are"):
        made(tmp_path, images)


def test_a_class_of_one_training_image_is_no_fault(tmp_path: Path) -> None:
    labels = np.zeros(40, dtype=int)
    labels[:2] = 1
    dataset = made(tmp_path, random_images(255), labels)
    assert np.bincount(dataset.train.labels).tolist() == [29, 1]
