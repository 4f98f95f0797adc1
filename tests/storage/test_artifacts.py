"""Artifacts: whole or not there, the same bytes for the same content, and never a damaged one read as a good one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from roco.errors import ArtifactError
from roco.storage.artifacts import (
    atomic,
    digest,
    read_arrays,
    read_attributes,
    read_json,
    read_tensors,
    write_arrays,
    write_json,
    write_tensors,
)

CONTENT = {"genome": "01-10", "error": 0.25, "reason": None, "losses": [1.5, 2e-7], "by_size": {10: "a", 9: "b"}}
CONTENT_READ = CONTENT | {"by_size": {"10": "a", "9": "b"}}
ARRAYS = {
    "images": np.arange(96, dtype=np.uint8).reshape(2, 3, 4, 4),
    "labels": np.array([0, 9], dtype=np.int64),
    "target": np.array([b"lenet", b"resnet"]),
    "margin": np.array([0.5, -1.25], dtype=np.float32),
    "correct": np.array([True, False]),
    "empty": np.zeros((0, 3, 4, 4), dtype=np.uint8),
}
TENSORS = {
    "weight": torch.arange(6.0).view(2, 3).t(),
    "batches": torch.tensor(7),
    "mask": torch.tensor([True, False]),
}


@dataclass(frozen=True)
class Format:
    """One of the three file formats, with a content that uses what it offers."""

    suffix: str
    write: Callable[[Path], None]
    read: Callable[..., Any]

    def content(self, path: Path, kind: str = "thing") -> str:
        """What is read, as text that can be compared."""
        return repr(self.read(path, kind))


FORMATS = {
    "json": Format(".json", lambda path: write_json(path, "thing", CONTENT), read_json),
    "hdf5": Format(".h5", lambda path: write_arrays(path, "thing", ARRAYS, CONTENT), read_arrays),
    "hdf5_compressed": Format(
        ".h5", lambda path: write_arrays(path, "thing", ARRAYS, CONTENT, compress=True), read_arrays
    ),
    "safetensors": Format(".safetensors", lambda path: write_tensors(path, "thing", TENSORS, CONTENT), read_tensors),
}


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


@pytest.fixture
def path(form: Format, tmp_path: Path) -> Path:
    path = tmp_path / f"thing{form.suffix}"
    form.write(path)
    return path


def test_json_gives_back_its_content(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", "thing", CONTENT)
    assert read_json(tmp_path / "a.json", "thing") == CONTENT_READ


@pytest.mark.parametrize("compress", [False, True])
def test_hdf5_gives_back_arrays_and_attributes(tmp_path: Path, compress: bool) -> None:
    write_arrays(tmp_path / "a.h5", "thing", ARRAYS, CONTENT, compress=compress)
    arrays, attributes = read_arrays(tmp_path / "a.h5", "thing")
    assert attributes == CONTENT_READ
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_hdf5_can_be_read_with_h5py_alone(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5", "thing", ARRAYS, {"split": "test", "long": ["x" * 100_000]})
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["labels"][...].tolist() == [0, 9]
        assert file.attrs["kind"] == b"thing"
        assert json.loads(file.attrs["split"]) == "test"
        assert json.loads(file.attrs["long"]) == ["x" * 100_000]


def test_attributes_can_be_read_without_the_arrays(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5", "thing", ARRAYS, CONTENT)
    attributes = read_attributes(tmp_path / "a.h5", "thing")
    with h5py.File(tmp_path / "a.h5") as file:
        assert attributes.pop("sha256") == file.attrs["sha256"].decode()
    assert attributes == CONTENT_READ
    with pytest.raises(ArtifactError, match="'other'"):
        read_attributes(tmp_path / "a.h5", "other")


def test_safetensors_gives_back_tensors_and_attributes(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", "thing", TENSORS, CONTENT)
    tensors, attributes = read_tensors(tmp_path / "a.safetensors", "thing")
    assert attributes == CONTENT_READ
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert tensors[name].shape == tensor.shape
        assert torch.equal(tensors[name], tensor)


def test_the_same_content_gives_the_same_bytes(form: Format, path: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / f"another{form.suffix}"
    form.write(again)
    assert again.read_bytes() == path.read_bytes()


def test_another_kind_is_refused(form: Format, path: Path) -> None:
    with pytest.raises(ArtifactError, match="expected an artifact of kind 'other', found 'thing'"):
        form.content(path, "other")


def test_a_missing_file_is_named(form: Format, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"absent.*no such file"):
        form.content(tmp_path / f"absent{form.suffix}")


def test_a_file_with_one_byte_changed_is_refused_or_reads_the_same(form: Format, path: Path) -> None:
    whole, expected = path.read_bytes(), form.content(path)
    refused = 0
    # A prime step: every kind of structure is hit, and with it also bytes that HDF5 leaves unused.
    for offset in range(0, len(whole), 13):
        for change in (0xFF, 0x01):
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ change]) + whole[offset + 1 :])
            try:
                assert form.content(path) == expected, f"byte {offset} ^ {change}"
            except ArtifactError:
                refused += 1
    assert refused > len(whole) / 13


def test_a_value_edited_by_hand_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", "thing", {"error": 0.25})
    text = (tmp_path / "a.json").read_text()
    for edited in (text.replace("0.25", "0.15"), text.replace("0.25", "1e999"), text.replace("0.25", "[" * 100_000)):
        assert edited != text
        (tmp_path / "a.json").write_text(edited)
        with pytest.raises(ArtifactError):
            read_json(tmp_path / "a.json", "thing")


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"kind": "thing"}', "\x00", "[1, 2"])
def test_json_that_is_no_artifact_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ArtifactError, match="not a whole JSON artifact"):
        read_json(tmp_path / "a.json", "thing")


def write_half(path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half of")
        raise ZeroDivisionError


def test_nothing_is_left_behind_after_an_exception(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "a.txt"
    with pytest.raises(ZeroDivisionError):
        write_half(target)
    assert list(target.parent.iterdir()) == []


def test_an_exception_leaves_the_old_file_as_it_was(form: Format, path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_half(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", "thing", {"error": float("nan")})
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "a.h5", "thing", {"good": np.zeros(2), "text": np.array(["ü"])}, {})
    assert list(tmp_path.iterdir()) == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_a_digest_survives_json(value: object) -> None:
    assert digest(json.loads(json.dumps(value))) == digest(value)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    assert digest({}, length=12) == digest({})[:12]
