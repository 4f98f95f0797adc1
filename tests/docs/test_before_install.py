"""What `make install` says when something is missing: one line, and what to do."""

import importlib.util
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("before_install", ROOT / ".ci" / "before_install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=50e9))
    return module


def test_nothing_is_missing(checks: ModuleType) -> None:
    assert checks.problem() is None


def test_an_old_python(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    version = namedtuple("version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", version(3, 9, 1))
    said = checks.problem()
    monkeypatch.undo()
    assert said == "roco-nas needs Python 3.11 or newer, 3.9 was found; try: make PYTHON=python3.11"


def test_no_space_matters_until_it_is_installed(
    checks: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: SimpleNamespace(free=2.5e9))
    assert "has 2.5 GB left, the installation takes 7; make room" in checks.problem()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    assert checks.problem() is None


def test_a_folder_that_cannot_be_written(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.os, "access", lambda *_: False)
    assert "cannot be written; copy the repository to a folder of yours" in checks.problem()
