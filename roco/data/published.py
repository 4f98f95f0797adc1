"""Readers of published data sets: scikit-learn's digits, and CIFAR, SVHN and Fashion-MNIST through torchvision."""

import contextlib
import gzip
import logging
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from roco.data.images import describe_fit, fit
from roco.data.pools import LabelledArrays, Pool, Source, source_of_arrays
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError

log = logging.getLogger("roco")

FASHION_MNIST_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read_digits(config: DatasetConfig) -> Source:
    """Handwritten digits, 8 x 8 pixels of 17 grey levels. Source: UCI, Optical Recognition of Handwritten Digits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    size = config.image_size
    # Never padded: eight pixels in the middle of nothing would waste most of every network's work.
    train = Pool(digits.target.astype(np.int64), lambda indices: fit(images[indices], size, pad=False))
    names = tuple(str(name) for name in digits.target_names)
    return Source(names, train, None, describe_fit(images.shape, size, pad=False))


def read_cifar(config: DatasetConfig) -> Source:
    """CIFAR-10 or CIFAR-100, where torchvision keeps them below the given folder; downloaded if they are not there."""
    from torchvision import datasets

    maker, files = {
        "cifar10": (datasets.CIFAR10, "cifar-10-batches-py"),
        "cifar100": (datasets.CIFAR100, "cifar-100-python"),
    }[config.name]
    root = _root(config)
    with _one_line(config.name, f"put the folder {files} into {root}, or set dataset.path to the folder it is in"):
        train, test = (_found_or_downloaded(maker, root, train=train) for train in (True, False))
    return source_of_arrays(
        LabelledArrays(train.data, np.array(train.targets)),
        LabelledArrays(test.data, np.array(test.targets)),
        class_names=tuple(train.classes),
        size=config.image_size,
        where=str(root),
    )


def read_svhn(config: DatasetConfig) -> Source:
    """Street View House Numbers, cropped digits; downloaded if they are not in the given folder."""
    from torchvision.datasets import SVHN

    root = _root(config)
    with _one_line("svhn", f"put train_32x32.mat and test_32x32.mat into {root}, or set dataset.path to their folder"):
        train, test = (_found_or_downloaded(SVHN, root, split=split) for split in ("train", "test"))
    return source_of_arrays(
        LabelledArrays(train.data.transpose(0, 2, 3, 1), train.labels),
        LabelledArrays(test.data.transpose(0, 2, 3, 1), test.labels),
        class_names=tuple(map(str, range(10))),
        size=config.image_size,
        where=str(root),
    )


def read_fashion_mnist(config: DatasetConfig) -> Source:
    """Fashion-MNIST, where torchvision keeps it or as four IDX files (plain or .gz) right in the given folder."""
    from torchvision.datasets import FashionMNIST

    root = _root(config)
    advice = f"put {FASHION_MNIST_FILES[0]}.gz and its three companions into a folder and set dataset.path to it"
    with _one_line("fashion_mnist", advice), tempfile.TemporaryDirectory() as temporary:
        if any(_idx_file(root, name) for name in FASHION_MNIST_FILES):
            _lay_out(root, Path(temporary))
            train, test = (FashionMNIST(temporary, train=train) for train in (True, False))
        else:
            train, test = (_found_or_downloaded(FashionMNIST, root, train=train) for train in (True, False))
    return source_of_arrays(
        LabelledArrays(train.data.numpy(), train.targets.numpy()),
        LabelledArrays(test.data.numpy(), test.targets.numpy()),
        class_names=tuple(train.classes),
        size=config.image_size,
        where=str(root),
    )


def published_files(config: DatasetConfig) -> list[Path]:
    """The files that the reader of a published data set takes, sorted; none where they are still to be downloaded."""
    root = _root(config)
    if config.name == "svhn":
        files = [root / name for name in ("train_32x32.mat", "test_32x32.mat")]
    elif config.name == "fashion_mnist":
        own = [_idx_file(root, name) for name in FASHION_MNIST_FILES]
        raw = root / "FashionMNIST" / "raw"
        files = [path for path in own if path] or [raw / name for name in FASHION_MNIST_FILES]
    else:
        folder = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}.get(config.name)
        files = sorted((root / folder).glob("*")) if folder else []
    return [path for path in files if path.is_file()]


def _root(config: DatasetConfig) -> Path:
    return Path(config.path or "data")


def _found_or_downloaded(maker: Callable[..., Any], root: Path, **which: object) -> Any:
    try:
        return maker(root, **which)
    except (OSError, RuntimeError):
        log.info("%s: not there or damaged, trying to download it", root)
        return maker(root, **which, download=True)


@contextlib.contextmanager
def _one_line(name: str, advice: str) -> Iterator[None]:
    """Turns what a reader or a download can fail with into a DatasetError that says what to do."""
    try:
        yield
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AssertionError, zlib.error) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DatasetError(f"{name}: cannot be read or downloaded ({reason}); {advice}") from None


def _idx_file(root: Path, name: str) -> Path | None:
    return next((path for path in (root / name, root / f"{name}.gz") if path.is_file()), None)


def _lay_out(root: Path, temporary: Path) -> None:
    """Copies the four files, unpacked, to where torchvision looks for them."""
    raw = temporary / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FASHION_MNIST_FILES:
        path = _idx_file(root, name)
        if path is None:
            raise FileNotFoundError(f"no {name} or {name}.gz in {root}")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as packed, (raw / name).open("wb") as file:
            shutil.copyfileobj(packed, file)
