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

from roco.errors import FileAccessError
from roco.runtime import configure_logging
from roco.storage.artifacts import read_arrays, read_json, read_tensors, write_arrays, write_json, write_tensors

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
    with pytest.raises(FileAccessError, match="cannot be written") as caught:
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
        with pytest.raises(FileAccessError, match=r"cannot be written \(No space left on device\)"):
            WRITERS[name](path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_what_a_killed_process_began_to_write_is_cleared_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    path, host = tmp_path / "a.json", os.uname().nodename
    folder, other = tmp_path / ".a.json.partial", tmp_path / ".b.json.partial"
    dead, alive, elsewhere = (
        folder / name for name in (f"{ended.pid}.{host}.json", f"{os.getppid()}.{host}.json", "1.far.json")
    )
    for leftover in (dead, alive, elsewhere, other / dead.name):
        leftover.parent.mkdir(exist_ok=True)
        leftover.write_text("half")
    write_json(path, "thing", 1)
    assert {found.name for found in folder.iterdir()} == {alive.name, elsewhere.name}
    assert (other / dead.name).exists()
    write_json(tmp_path / "b.json", "thing", 1)
    assert {found.name for found in tmp_path.iterdir()} == {"a.json", "b.json", folder.name}


def test_a_write_does_not_look_through_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A store has an entry for each genome: looked through at each write, they grow with the square of a study.
    for number in range(50):
        (tmp_path / f"{number}.json").write_text("an entry")
    looked_at: list[str] = []
    listed = Path.iterdir

    def counted(folder: Path) -> Iterator[Path]:
        for each in listed(folder):
            looked_at.append(each.name)
            yield each

    def counted_names(folder: str | Path = ".") -> list[str]:
        names = names_in(folder)
        looked_at.extend(names)
        return names

    names_in = os.listdir
    monkeypatch.setattr(Path, "iterdir", counted)
    monkeypatch.setattr(os, "listdir", counted_names)
    write_json(tmp_path / "a.json", "thing", 1)
    assert looked_at == []


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
