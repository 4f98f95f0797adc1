"""Images that a network is evaluated on: the same from every kind of source, and one line for what cannot be used."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_study import TinyStudy

from roco.errors import DatasetError
from roco.external.images import read_images


@pytest.mark.parametrize("form", ["npz", "channels first", "floats", "dataset.h5", "folder", "folder with test"])
def test_every_source_gives_the_same_images(tiny: TinyStudy, tmp_path: Path, form: str) -> None:
    split = tiny.dataset.test
    last = split.images.transpose(0, 2, 3, 1)
    path, size = tmp_path / "images.npz", None
    if form == "npz":
        np.savez(path, x_test=last, y_test=split.labels[:, None])
    elif form == "channels first":
        np.savez(path, images=split.images, labels=split.labels)
    elif form == "floats":
        np.savez(path, images=(last / 255).astype(np.float32), labels=split.labels)
    elif form == "dataset.h5":
        path = tiny.dataset_path
    else:
        path, size = tmp_path / "pictures", 16
        below = path / "test" if form == "folder with test" else path
        for number, (image, label) in enumerate(zip(last, split.labels, strict=True)):
            (below / f"class{label}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(below / f"class{label}" / f"{number:02}.png")
    images = read_images(str(path), image_size=size)
    # A folder's images are sorted by class.
    order = np.argsort(split.labels, kind="stable") if size else np.arange(len(split))
    assert np.array_equal(images.split.images, split.images[order])
    assert images.split.labels.tolist() == split.labels[order].tolist()


def test_a_published_set_gives_the_test_images_of_a_study() -> None:
    images = read_images("digits")
    assert images.title == "Handwritten digits (UCI)"
    assert images.split.images.shape == (359, 3, 16, 16)
    assert images.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (np.full((2, 8, 8, 3), 1.5), [0, 1], r"expected values in \[0, 1\], got 1\.5 to 1\.5; give images before"),
        (np.full((2, 8, 8, 3), 0.5), [0, 1], "expected 8-bit images, got values between the multiples of 1/255"),
        (np.zeros((2, 8, 8, 3), np.int64), [0, 1], "as uint8 or as numbers in"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0], "expected 2 labels from 0 on"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0.5, 1], "expected 2 labels from 0 on, got float64"),
        (np.zeros((2, 8, 8, 3), np.uint8), [-1, 1], "expected 2 labels from 0 on"),
        (np.zeros((2, 8, 9, 3), np.uint8), [0, 1], "8 x 9 pixels; choose a height and width with --image-size"),
        (np.zeros((2, 8, 8, 4), np.uint8), [0, 1], r"expected images \(n, h, w, 3\) or \(n, 3, h, w\)"),
    ],
)
def test_arrays_that_are_no_images_give_one_line(tmp_path: Path, images: object, labels: object, told: str) -> None:
    np.savez(tmp_path / "images.npz", x_test=images, y_test=np.array(labels))
    with pytest.raises(DatasetError, match=told):
        read_images(str(tmp_path / "images.npz"))


def test_names_of_nothing_give_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected a data set \(digits, cifar10, .*\), an .npz file, a folder, or"):
        read_images("imagenet")
    np.savez(tmp_path / "other.npz", pictures=np.zeros(3))
    with pytest.raises(DatasetError, match="expected the arrays x_test and y_test or images and labels"):
        read_images(str(tmp_path / "other.npz"))
    (tmp_path / "damaged.npz").write_bytes(b"PK nothing")
    with pytest.raises(DatasetError, match=r"cannot be read as an \.npz file"):
        read_images(str(tmp_path / "damaged.npz"))
    (tmp_path / "folder/only").mkdir(parents=True)
    with pytest.raises(DatasetError, match="a folder for each of at least 2 classes, found 1"):
        read_images(str(tmp_path / "folder"))
