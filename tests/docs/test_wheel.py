"""The wheel holds all files of the package, templates and C sources too, and the study that explains the keys."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from roco.config.meanings import comments_of, default_study

ROOT = Path(__file__).parents[2]
PACKAGES = ("roco", "snakemake_logger_plugin_roco")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    [path] = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_it_holds_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in files if path.parent.name != "__pycache__"}
    assert {Path(name).suffix for name in expected} >= {".py", ".c", ".j2", ".css", ".js"}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == expected | {"roco/config/default.yaml"}


def test_it_holds_the_meanings_and_the_command(wheel: zipfile.ZipFile) -> None:
    packed = wheel.read("roco/config/default.yaml").decode()
    assert comments_of(packed) == comments_of(default_study().read_text())
    (entries,) = [name for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    assert "roco = roco.cli:main" in wheel.read(entries).decode()
