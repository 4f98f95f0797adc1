"""Files that the system cannot read now: told as what they are, kept, and never computed again.

Met with HDF5 on cluster mounts without a lock daemon ("unable to lock file, errno = 37"), with a file that a notebook
has open for writing, and with network file systems and limits that come and go (EIO, ESTALE, EACCES, EMFILE).
"""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from roco.errors import FileAccessError
from roco.storage.artifacts import read_arrays, read_attributes, read_json, write_arrays, write_json, write_tensors
from roco.storage.store import Store

NAMES = ("thing.json", "thing.h5", "thing.safetensors")
# Prints what each way to read a file, or an entry of the store, comes to.
READ = """
import json, sys
from roco.storage.artifacts import read_arrays, read_attributes, read_checksum, read_json, read_tensors
from roco.errors import RocoError
from roco.storage.store import Store

folder, found = sys.argv[1], {}
def tell(name, read):
    try:
        read()
        found[name] = ["read", ""]
    except RocoError as error:
        found[name] = [type(error).__name__, str(error)]
tell("json", lambda: read_json(f"{folder}/thing.json", "thing"))
tell("arrays", lambda: read_arrays(f"{folder}/thing.h5", "thing"))
tell("attributes", lambda: read_attributes(f"{folder}/thing.h5", "thing"))
tell("tensors", lambda: read_tensors(f"{folder}/thing.safetensors", "thing"))
tell("checksum", lambda: read_checksum(f"{folder}/thing.safetensors", "thing"))
tell("entry", lambda: Store(folder).read("store", "thing") or exit("an entry counts as missing"))
tell("arrays of entry", lambda: Store(folder).read_arrays("store", "thing") or exit("an entry counts as missing"))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def faulty_system(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes calls of the system fail, to be preloaded."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("faulty") / "faulty_system.so"
    source = Path(__file__).with_name("faulty_system.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "thing.json", "thing", {"error": 0.25})
    write_arrays(tmp_path / "thing.h5", "thing", {"images": np.arange(100_000)}, {"split": "test"})
    write_tensors(tmp_path / "thing.safetensors", "thing", {"weight": torch.arange(100_000.0)}, {"epochs": 2})
    Store(tmp_path).write("store", "thing", {"error": 0.25})
    Store(tmp_path).write_arrays("store", "thing", {"images": np.arange(100_000)})
    return tmp_path


def read_all(folder: Path, library: Path, call: str, number: int) -> dict[str, list[str]]:
    fault = {"FAULTY_CALL": call, "FAULTY_PATH": f"{folder}/", "FAULTY_ERRNO": str(number), "LD_PRELOAD": str(library)}
    command = [sys.executable, "-c", READ, str(folder)]
    ended = subprocess.run(command, env=os.environ | fault, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open", errno.EACCES),
        ("open", errno.EMFILE),
        ("read", errno.EIO),
        ("read", errno.ESTALE),
        ("stat", errno.ESTALE),
    ],
    ids=lambda value: errno.errorcode.get(value, value) if isinstance(value, int) else value,
)
def test_an_error_of_the_system_is_told_as_what_it_is(
    faulty_system: Path, folder: Path, call: str, number: int
) -> None:
    found = read_all(folder, faulty_system, call, number)
    if call == "stat":
        # Files are opened without a look at them before; entries of the store are looked for first.
        found = {name: what for name, what in found.items() if "entry" in name}
        assert found
    for kind, line in found.values():
        assert kind == "FileAccessError", line
        assert os.strerror(number) in line
        assert str(folder) in line
        assert "keep it" in line
        assert "delete" not in line
        assert "\n" not in line


def test_a_file_system_without_locks_is_as_good_as_any(faulty_system: Path, folder: Path) -> None:
    assert {kind for kind, _ in read_all(folder, faulty_system, "flock", errno.ENOLCK).values()} == {"read"}


def test_a_file_that_is_open_for_writing_elsewhere_is_read(folder: Path) -> None:
    expected = read_arrays(folder / "thing.h5", "thing")
    with h5py.File(folder / "thing.h5", "r+"):
        arrays, attributes = read_arrays(folder / "thing.h5", "thing")
        assert read_attributes(folder / "thing.h5", "thing")["split"] == "test"
    np.testing.assert_array_equal(arrays["images"], expected[0]["images"])
    assert attributes == expected[1]


@pytest.mark.parametrize("name", NAMES)
def test_no_more_open_files_is_no_damage(folder: Path, name: str) -> None:
    # Imports what is to be read with before nothing can be opened any more.
    read_json(folder / "thing.json", "thing")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(FileAccessError, match="Too many open files"):
            (read_json if name.endswith("json") else read_attributes)(folder / name, "thing")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_was_read_and_is_wrong_is_damaged(folder: Path) -> None:
    for path in [*map(folder.joinpath, NAMES), *folder.glob("store/thing.*")]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    # A process that has met it ends as others do.
    read = READ.replace(' or exit("an entry counts as missing")', "")
    ended = subprocess.run([sys.executable, "-c", read, str(folder)], capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    for name in ("json", "arrays", "attributes", "tensors"):
        kind, line = found[name]
        assert kind == "ArtifactError"
        assert "delete it" in line
    assert [found[name][0] for name in found if "entry" in name] == ["read", "read"]


def test_a_folder_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "thing.json").mkdir()
    with pytest.raises(FileAccessError, match="Is a directory"):
        read_json(tmp_path / "thing.json", "thing")
