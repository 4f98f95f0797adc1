"""A disk that is full: one line that says so, nothing half-written, and the same files once there is room."""

import contextlib
import errno
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from roco.artifacts import read_arrays, read_json, read_tensors, write_arrays, write_json, write_tensors
from roco.errors import ArtifactError
from roco.runtime import configure_logging

SIZE = 400_000
NOISE = np.random.default_rng(0).integers(0, 256, SIZE).astype(np.uint8)
WRITERS: dict[str, Callable[[Path], None]] = {
    "a.json": lambda path: write_json(path, "thing", NOISE.tolist()),
    "a.h5": lambda path: write_arrays(path, "thing", {"noise": NOISE}, {}),
    "packed.h5": lambda path: write_arrays(path, "thing", {"noise": NOISE}, {}, compress=True),
    "a.safetensors": lambda path: write_tensors(path, "thing", {"noise": torch.from_numpy(NOISE)}, {}),
}
READERS = {".json": read_json, ".h5": read_arrays, ".safetensors": read_tensors}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_nothing(small_disk: Path, name: str) -> None:
    path = small_disk / name
    with pytest.raises(ArtifactError, match="cannot be written") as caught:
        WRITERS[name](path)
    assert "\n" not in str(caught.value)
    assert "space" in str(caught.value)
    assert list(small_disk.iterdir()) == []
    # With room for it, the same call goes through.
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    WRITERS[name](path)
    READERS[path.suffix](path, "thing")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("name", WRITERS)
def test_whatever_fails_leaves_the_old_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: str
) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full) if call == "fsync" else patch.setattr(Path, "replace", full)
        with pytest.raises(ArtifactError, match=r"cannot be written \(No space left on device\)"):
            WRITERS[name](path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_what_a_killed_process_began_to_write_is_cleared_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    path, host = tmp_path / "a.json", os.uname().nodename
    dead = tmp_path / f".a.{host}.{ended.pid}.partial.json"
    alive, elsewhere, other = (
        tmp_path / name
        for name in (
            f".a.{host}.{os.getppid()}.partial.json",
            ".a.far.1.partial.json",
            f".b.{host}.{ended.pid}.partial.json",
        )
    )
    for leftover in (dead, alive, elsewhere, other):
        leftover.write_text("half")
    write_json(path, "thing", 1)
    assert {found.name for found in tmp_path.iterdir()} == {path.name, alive.name, elsewhere.name, other.name}


def test_a_log_on_a_full_disk_loses_lines_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    configure_logging("/dev/full")
    try:
        logging.getLogger("roco").error("lost")
        assert "Traceback" not in capfd.readouterr().err
    finally:
        for handler in logging.getLogger().handlers:
            with contextlib.suppress(OSError):
                handler.close()
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
        logging.captureWarnings(False)
        logging.raiseExceptions = True
