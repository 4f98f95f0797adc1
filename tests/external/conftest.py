"""A folder with a user's module, and the images of the tiny study as a file."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_study import TinyStudy


@pytest.fixture
def folder(tiny: TinyStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(Path(__file__).with_name("networks.py"), tmp_path / "mine.py")
    images = tiny.dataset.test.images.transpose(0, 2, 3, 1)
    np.savez(tmp_path / "images.npz", x_test=images, y_test=tiny.dataset.test.labels)
    monkeypatch.chdir(tmp_path)
    # A test must not see the module of another.
    monkeypatch.delitem(__import__("sys").modules, "mine", raising=False)
    return tmp_path
