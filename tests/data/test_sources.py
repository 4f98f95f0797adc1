"""Readers: every format on small files made here, and one line for whatever is missing, damaged or inconsistent."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from source_files import random_images, read, read_or_refusal, refused

from roco.data.images import describe_fit, fit

# Bringing images to one form


def test_fit_pads_28_pixels_to_32_with_zeros() -> None:
    images = random_images(2, 28, 28)
    fitted = fit(images, 32)
    assert fitted.shape == (2, 3, 32, 32)
    assert fitted.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(fitted[:, channel, 2:30, 2:30], images)
    assert fitted.sum(dtype=int) == 3 * images.sum(dtype=int)
    assert describe_fit(images.shape, 32) == (
        "grey images became three equal channels",
        "images of 28 x 28 pixels were padded with zeros to 32 x 32",
    )


def test_fit_puts_an_odd_pixel_behind() -> None:
    fitted = fit(np.full((1, 13, 16, 3), 9, dtype=np.uint8), 16)
    assert fitted[0, 0, :, 0].tolist() == [0, *[9] * 13, 0, 0]
    assert fitted[0, 0, 1].tolist() == [9] * 16


@pytest.mark.parametrize(("side", "padded"), [(8, True), (7, False), (17, False)])
def test_fit_pads_at_most_four_pixels_a_side(side: int, padded: bool) -> None:
    fitted = fit(np.full((1, side, side), 200, dtype=np.uint8), 16)
    assert (fitted.min() == 0) == padded
    assert fitted.max() == 200
    assert ("padded" in describe_fit((1, side, side), 16)[-1]) == padded


def test_fit_resizes_as_pillow_does() -> None:
    images = random_images(2, 20, 30, 3)
    expected = Image.fromarray(images[1]).resize((16, 16), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(fit(images, 16)[1].transpose(1, 2, 0), np.asarray(expected))


def test_fit_leaves_what_fits() -> None:
    images = random_images(2, 16, 16, 3)
    np.testing.assert_array_equal(fit(images, 16).transpose(0, 2, 3, 1), images)
    assert describe_fit(images.shape, 16) == ()


def test_one_grey_channel_is_as_no_channel_axis() -> None:
    images = random_images(2, 14, 14)
    np.testing.assert_array_equal(fit(images[..., None], 16), fit(images, 16))


# Digits


def test_digits_are_resized_grey_images_of_ten_classes() -> None:
    source = read("digits")
    assert source.class_names == tuple("0123456789")
    assert source.test is None
    assert len(source.train.labels) == 1797
    images = source.train.take(np.array([0, 5]))
    assert images.shape == (2, 3, 16, 16)
    assert (images[:, 0] == images[:, 2]).all()
    # Black to white, and no border of zeros around the strokes: 8 pixels were not padded to 16.
    assert images.min() == 0
    assert images.max() > 240
    assert images[:, 0, 1].any()


# Keras .npz files


def arrays_of(*shape: int) -> dict[str, np.ndarray[Any, Any]]:
    return {
        "x_train": random_images(6, *shape),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": random_images(3, *shape),
        "y_test": np.array([2, 1, 0]),
    }


def saved(folder: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> Path:
    np.savez(folder / "images.npz", **arrays)
    return folder / "images.npz"


@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 16, 1), (16, 16), (14, 14, 3), (40, 20)])
def test_npz_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    arrays = arrays_of(*shape)
    source = read("npz", saved(tmp_path, arrays))
    assert source.test is not None
    assert source.class_names == ("0", "1", "2")
    assert source.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert source.test.labels.tolist() == [2, 1, 0]
    assert source.train.labels.dtype == np.int64
    np.testing.assert_array_equal(source.train.take(np.array([4, 1])), fit(arrays["x_train"][[4, 1]], 16))
    np.testing.assert_array_equal(source.test.take(np.array([2])), fit(arrays["x_test"][[2]], 16))
    assert source.notes == describe_fit((6, *shape), 16)


def test_npz_labels_may_be_a_column_as_keras_has_them(tmp_path: Path) -> None:
    arrays = arrays_of(16, 16, 3)
    arrays["y_train"] = arrays["y_train"][:, None].astype(np.uint8)
    assert read("npz", saved(tmp_path, arrays)).train.labels.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("key", "array", "message"),
    [
        (
            "x_train",
            np.zeros((6, 16, 16, 3), dtype=np.float32),
            "got float32; multiply values in [0, 1] by 255 and round",
        ),
        ("x_train", np.zeros((6, 3, 16, 16), dtype=np.uint8), "x_train: expected shape (n, h, w), (n, h, w, 1) or"),
        ("x_test", np.zeros((6, 16), dtype=np.uint8), "x_test: expected shape (n, h, w)"),
        ("x_test", np.zeros((0, 16, 16), dtype=np.uint8), "x_test: expected shape (n, h, w)"),
        ("x_train", np.zeros((5, 16, 16), dtype=np.uint8), "expected a label for each of the 5 training images, got 6"),
        ("y_test", np.array([0, 1]), "expected a label for each of the 3 test images, got 2"),
        ("y_train", np.array([0.0, 1, 2, 0, 1, 2]), "y_train: expected integers of shape (n,), got float64"),
        ("y_train", np.eye(6, dtype=int), "y_train: expected integers of shape (n,), got int64 of shape (6, 6)"),
        ("y_train", np.array([0, 1, 3, 0, 1, 3]), "expected training images of every class, found none of class 2"),
        ("y_train", np.array([1, 2, 3, 1, 2, 3]), "expected training images of every class, found none of class 0"),
        ("y_train", np.array([0, 1, 2, 0, 1, -1]), "expected training labels 0 to 2, got -1"),
        ("y_train", np.array([0, 1, 2, 0, 1, 2**60]), f"expected training labels 0 to 6, got {2**60}"),
        ("y_test", np.array([0, 1, 3]), "expected test labels 0 to 2, got 3"),
        ("y_train", np.zeros(6, dtype=int), "expected test labels 0 to 0, got 2"),
        ("y_train", np.array([None] * 6), "cannot be read as an .npz file (ValueError: Object arrays"),
    ],
)
def test_npz_with_a_wrong_array_is_refused(tmp_path: Path, key: str, array: Any, message: str) -> None:
    path = saved(tmp_path, arrays_of(16, 16) | {key: array})
    line = refused("npz", path)
    assert line.startswith(f"{path}: ")
    assert message in line


def test_npz_of_one_class_is_refused(tmp_path: Path) -> None:
    arrays = arrays_of(16, 16) | {"y_train": np.zeros(6, dtype=int), "y_test": np.zeros(3, dtype=int)}
    assert "expected images of at least 2 classes, found 1" in refused("npz", saved(tmp_path, arrays))


def test_npz_without_a_key_is_refused(tmp_path: Path) -> None:
    arrays = arrays_of(16, 16)
    del arrays["y_test"]
    assert refused("npz", saved(tmp_path, arrays)).endswith(
        "expected the arrays x_train, y_train, x_test, y_test, found no y_test"
    )


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    path.write_bytes(b"")
    assert "cannot be read as an .npz file" in refused("npz", path)
    path.write_bytes(pickle.dumps({"x_train": 1}))
    assert "cannot be read as an .npz file" in refused("npz", path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert "got a single array" in refused("npz", path)
    assert "cannot be read as an .npz file (IsADirectoryError" in refused("npz", tmp_path)


def test_a_damaged_npz_is_refused_or_reads_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path, arrays_of(16, 16))
    whole = path.read_bytes()
    refusals = 0
    for offset in range(0, len(whole), 61):
        for damaged in (whole[:offset], whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :]):
            path.write_bytes(damaged)
            found = read_or_refusal("npz", path)
            if isinstance(found, str):
                refusals += 1
                assert "\n" not in found
            else:
                assert found == [0, 1, 2, 0, 1, 2]
    assert refusals > len(whole) / 61


# Folders of images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    colours = {"cat": (255, 0, 0), "dog": (0, 0, 255)}
    for part, count in (("train", 3), ("test", 1)):
        for name, colour in colours.items():
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (20, 10), colour).save(tmp_path / part / name / f"{number}.png")
    return tmp_path


def test_an_image_folder_is_read_in_sorted_order(folder: Path) -> None:
    Image.new("L", (5, 5), 128).save(folder / "train" / "cat" / "00.jpg")
    (folder / "train" / "cat" / "notes.txt").write_text("no image")
    (folder / "train" / "cat" / ".hidden.png").write_text("no image")
    source = read("image_folder", folder)
    assert source.test is not None
    assert source.class_names == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert source.test.labels.tolist() == [0, 1]
    images = source.train.take(np.array([6, 1, 0]))
    assert images.shape == (3, 3, 16, 16)
    # "0.png" sorts before "00.jpg".
    assert [image[:, 4, 4].tolist() for image in images] == [[0, 0, 255], [128, 128, 128], [255, 0, 0]]


def test_what_was_resized_is_said(folder: Path) -> None:
    how = "were resized bilinearly to 16 x 16, those that are not square stretched"
    assert read("image_folder", folder).notes == (f"images of 10 x 20 pixels {how}",)
    Image.new("L", (5, 5), 128).save(folder / "test" / "cat" / "00.jpg")
    # One that cannot be read is named when it is wanted.
    (folder / "test" / "cat" / "bad.png").write_bytes(b"no image")
    assert read("image_folder", folder).notes == (
        f"images of 2 shapes (5 x 5 to 10 x 20 pixels) {how}",
        "of 10 images: 1 grey, became three equal channels (test/cat/00.jpg)",
    )
    for path in folder.rglob("*.*"):
        Image.new("RGB", (16, 16)).save(path.with_suffix(".png"))
        path.unlink() if path.suffix == ".jpg" else None
    assert read("image_folder", folder).notes == ()


def test_different_classes_in_train_and_test_are_refused(folder: Path) -> None:
    (folder / "test" / "emu").mkdir()
    assert "expected the same classes in train and test, only one of them has 'emu'" in refused("image_folder", folder)


def test_an_empty_class_is_refused(folder: Path) -> None:
    (folder / "train" / "emu").mkdir()
    (folder / "test" / "emu").mkdir()
    line = refused("image_folder", folder)
    assert line.startswith(f"{folder / 'train' / 'emu'}: expected images")


def test_a_folder_without_its_parts_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused("image_folder", folder / "train")
    (tmp_path / "bare" / "train").mkdir(parents=True)
    (tmp_path / "bare" / "test").mkdir()
    assert "at least 2 classes, found 0" in refused("image_folder", tmp_path / "bare")


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n"])
def test_an_unreadable_image_is_named(folder: Path, content: bytes) -> None:
    path = folder / "train" / "dog" / "1.png"
    path.write_bytes(content)
    assert refused("image_folder", folder).startswith(f"{path}: cannot be read as an image")


def test_a_damaged_image_is_named_or_still_an_image(folder: Path) -> None:
    path = folder / "train" / "dog" / "1.png"
    Image.fromarray(random_images(1, 12, 12, 3)[0]).save(path)
    whole = path.read_bytes()
    refusals = 0
    for offset in range(0, len(whole), 7):
        for damaged in (whole[:offset], whole[:offset] + bytes([whole[offset] ^ 0xFF]) + whole[offset + 1 :]):
            path.write_bytes(damaged)
            found = read_or_refusal("image_folder", folder)
            refusals += isinstance(found, str)
            assert found == [0, 0, 0, 1, 1, 1] or str(found).startswith(f"{path}: cannot be read as an image")
    assert refusals > len(whole) / 7
