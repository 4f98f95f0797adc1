"""Published data sets, where torchvision keeps them: small files in the place of the real ones."""

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from scipy.io import savemat
from source_files import random_images, read, refused
from torchvision import datasets

from roco.data.images import fit


def no_network(*_: object, **__: object) -> None:
    raise URLError("no route to host")


@pytest.fixture
def cifar_without_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files can take the place of the real ones, whose checksums torchvision knows."""
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", None], ["data_batch_2", None]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": None})
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", no_network)


@pytest.mark.usefixtures("cifar_without_checksums")
def test_cifar_is_read_where_torchvision_keeps_it(tmp_path: Path) -> None:
    images = random_images(6, 3, 32, 32)
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    for number, name in enumerate(("data_batch_1", "data_batch_2", "test_batch")):
        rows = slice(2 * number, 2 * number + 2)
        labels = [2 * number % 3, (2 * number + 1) % 3]
        (batches / name).write_bytes(pickle.dumps({"data": images[rows].reshape(2, -1), "labels": labels}))
    (batches / "batches.meta").write_bytes(pickle.dumps({"label_names": ["plane", "car", "bird"]}))
    source = read("cifar10", tmp_path, image_size=32)
    assert source.test is not None
    assert source.class_names == ("plane", "car", "bird")
    assert source.train.labels.tolist() == [0, 1, 2, 0]
    assert source.test.labels.tolist() == [1, 2]
    np.testing.assert_array_equal(source.train.take(np.arange(4)), images[:4])
    np.testing.assert_array_equal(source.test.take(np.arange(2)), images[4:])
    assert source.notes == ()


@pytest.mark.usefixtures("cifar_without_checksums")
def test_cifar_that_is_neither_there_nor_reachable_says_where_to_put_it(tmp_path: Path) -> None:
    line = refused("cifar10", tmp_path)
    assert line.startswith("cifar10: cannot be read or downloaded (<urlopen error no route to host>); put the folder ")
    assert f"cifar-10-batches-py into {tmp_path}" in line


def test_svhn_is_read_where_torchvision_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"train": "train_32x32.mat", "test": "test_32x32.mat"}
    monkeypatch.setattr(datasets.SVHN, "split_list", {part: ["", name, None] for part, name in names.items()})
    monkeypatch.setattr("torchvision.datasets.svhn.download_url", no_network)
    images = random_images(10, 32, 32, 3)
    # SVHN's own files say 10 for the digit 0.
    labels = np.array([*range(1, 10), 10])[:, None]
    savemat(tmp_path / names["train"], {"X": images.transpose(1, 2, 3, 0), "y": labels})
    assert "put train_32x32.mat and test_32x32.mat into" in refused("svhn", tmp_path)
    savemat(tmp_path / names["test"], {"X": images[:2].transpose(1, 2, 3, 0), "y": labels[:2]})
    source = read("svhn", tmp_path, image_size=32)
    assert source.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    np.testing.assert_array_equal(source.train.take(np.arange(10)).transpose(0, 2, 3, 1), images)


def write_idx(path: Path, array: np.ndarray[Any, Any]) -> None:
    header = struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape)
    content = header + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def idx_arrays() -> dict[str, np.ndarray[Any, Any]]:
    return {
        "train-images-idx3-ubyte": random_images(20, 28, 28),
        "train-labels-idx1-ubyte": np.arange(20, dtype=np.uint8) % 10,
        "t10k-images-idx3-ubyte": random_images(10, 28, 28),
        "t10k-labels-idx1-ubyte": np.arange(10, dtype=np.uint8)[::-1],
    }


@pytest.mark.parametrize(("below", "suffix"), [("", ""), ("", ".gz"), ("FashionMNIST/raw", "")])
def test_fashion_mnist_is_read_from_its_four_files(
    tmp_path: Path, idx_arrays: dict[str, np.ndarray[Any, Any]], below: str, suffix: str
) -> None:
    (tmp_path / below).mkdir(parents=True, exist_ok=True)
    for name, array in idx_arrays.items():
        write_idx(tmp_path / below / f"{name}{suffix}", array)
    source = read("fashion_mnist", tmp_path, image_size=32)
    assert source.test is not None
    assert source.class_names[9] == "Ankle boot"
    assert source.test.labels.tolist() == list(range(9, -1, -1))
    np.testing.assert_array_equal(source.train.take(np.arange(20)), fit(idx_arrays["train-images-idx3-ubyte"], 32))
    assert "images of 28 x 28 pixels were padded with zeros to 32 x 32" in source.notes


def test_damaged_or_missing_fashion_mnist_files_are_refused(
    tmp_path: Path, idx_arrays: dict[str, np.ndarray[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    assert "set dataset.path to it" in refused("fashion_mnist", tmp_path / "empty")
    for name, array in idx_arrays.items():
        write_idx(tmp_path / f"{name}.gz", array)
    for name in idx_arrays:
        path = tmp_path / f"{name}.gz"
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert "fashion_mnist: cannot be read" in refused("fashion_mnist", tmp_path)
        path.unlink()
        assert f"no {name} or {name}.gz in " in refused("fashion_mnist", tmp_path)
        path.write_bytes(whole)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(9, dtype=np.uint8))
    assert "expected a label for each of the 10 test images, got 9" in refused("fashion_mnist", tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(1, 11, dtype=np.uint8))
    assert "expected test labels 0 to 9, got 10" in refused("fashion_mnist", tmp_path)
