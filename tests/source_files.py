"""Reading a data set of files, or the one line with which it is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roco.data.dataset import read_source
from roco.data.pools import Source
from roco.data.settings import DatasetConfig
from roco.errors import DatasetError


def random_images(count: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def read(name: str, path: Path | None = None, *, image_size: int = 16) -> Source:
    return read_source(DatasetConfig(name=name, path=None if path is None else str(path), image_size=image_size))


def refused(name: str, path: Path) -> str:
    """The one line with which a data set is refused."""
    with pytest.raises(DatasetError) as caught:
        read_all(name, path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def read_all(name: str, path: Path) -> list[int]:
    """The training labels, after all training images were read too."""
    source = read(name, path)
    source.train.take(np.arange(len(source.train.labels)))
    return source.train.labels.tolist()


def read_or_refusal(name: str, path: Path) -> list[int] | str:
    """The training labels, or the one line with which the data set is refused."""
    try:
        return read_all(name, path)
    except DatasetError as error:
        return str(error)
