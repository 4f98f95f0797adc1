"""Reading and writing results: JSON, HDF5 and safetensors files that are whole, checked and reproducible.

Every file is written under a temporary name, synced and renamed, so that it is either complete or does not exist.
Every file names its kind and has a SHA-256 of its content. Reading a file that is truncated, edited or of another kind
raises ArtifactError with one line; a file that the system cannot read now raises FileAccessError (roco.files). Nothing
is ever unpickled. The callers know what the contents mean.
"""

import contextlib
import hashlib
import io
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np

from roco.errors import ArtifactError, GenomeError
from roco.files import atomic, opened

if TYPE_CHECKING:
    import h5py
    from torch import Tensor

Array = np.ndarray[Any, Any]
Taken = TypeVar("Taken")

# The limit of safetensors itself.
LONGEST_HEADER = 100_000_000


def digest(payload: object, *, length: int = 64) -> str:
    """The first `length` hex digits of the SHA-256 of a JSON value in its canonical form."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _plain(value: Any) -> Any:
    """A value after a round trip through JSON: keys become text, which sorts differently, and tuples become lists."""
    return json.loads(json.dumps(value, allow_nan=False))


def _array_digest(arrays: Mapping[str, Array], attributes: Mapping[str, Any]) -> str:
    checksum = hashlib.sha256(json.dumps(dict(attributes), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        checksum.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        checksum.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return checksum.hexdigest()


def _damaged(path: str | Path, reason: str) -> ArtifactError:
    return ArtifactError(f"{path}: {reason}; delete it and run the same command again to make it anew")


def _check_kind(path: str | Path, actual: object, kind: str) -> None:
    if actual != kind:
        raise _damaged(path, f"expected an artifact of kind '{kind}', found '{actual}'")


def check_provenance(path: str | Path, attributes: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raises ArtifactError unless a file has the expected attributes: otherwise it was made for something else."""
    for name, value in expected.items():
        if name not in attributes or attributes[name] != value:
            actual = f"{attributes[name]!r:.80}" if name in attributes else "nothing"
            reason = f"expected {name} {value!r:.80}, found {actual}: it was made for something else"
            raise _damaged(path, reason)


@contextlib.contextmanager
def schema(path: str | Path, kind: str) -> Iterator[None]:
    """Turns errors about missing content or wrong types into ArtifactError.

    For files whose checksum is right: another version of the program must have written them.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, GenomeError) as error:
        reason = f"not what '{kind}' holds ({type(error).__name__}: {' '.join(str(error).split())[:100]})"
        raise _damaged(path, reason) from None


def write_json(path: str | Path, kind: str, content: object) -> None:
    """Writes a JSON value as an artifact of the given kind; the same content gives the same bytes."""
    content = _plain(content)
    document = {"kind": kind, "sha256": digest(content), "content": content}
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path, kind: str) -> Any:
    """The content of a JSON artifact.

    Raises:
        ArtifactError: the file is missing, damaged, or not of this kind.
        FileAccessError: it cannot be read now.
    """
    with opened(path) as file:
        data = file.read()
    try:
        document = json.loads(data)
        actual_kind, checksum, content = document["kind"], document["sha256"], document["content"]
        actual = digest(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"not a whole JSON artifact ({type(error).__name__})") from None
    _check_kind(path, actual_kind, kind)
    if actual != checksum:
        raise _damaged(path, "its content does not match its checksum")
    return content


def write_arrays(
    path: str | Path,
    kind: str,
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Any],
    *,
    compress: bool = False,
) -> None:
    """Writes arrays and JSON attributes to an HDF5 artifact; the same content gives the same bytes.

    Each attribute is stored as JSON text, each array as a data set of its own (`track_times=False`), so that the file
    can be read with h5py alone.
    """
    import h5py

    attributes = _plain(dict(attributes))
    # Made in memory, because HDF5 ends the process when the disk is full.
    # From v110 on HDF5 keeps checksums of its own structures, but not of the heap with texts of variable length, and a
    # damaged heap can make it loop for ever. So attributes are texts of fixed length.
    with h5py.File(Path(path).name, "w", libver="v110", driver="core", backing_store=False) as file:
        file.attrs["kind"] = np.bytes_(kind)
        file.attrs["sha256"] = np.bytes_(_array_digest(arrays, attributes))
        for name, value in attributes.items():
            file.attrs[name] = np.bytes_(json.dumps(value, sort_keys=True))
        for name, array in arrays.items():
            packed = {"compression": "gzip", "shuffle": False} if compress and array.size else {}
            file.create_dataset(name, data=array, track_times=False, **packed)
        file.flush()
        image = file.id.get_file_image()
    with atomic(path) as temporary:
        temporary.write_bytes(image)


def read_arrays(path: str | Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and attributes of an HDF5 artifact.

    Raises:
        ArtifactError: the file is missing, damaged, or not of this kind.
        FileAccessError: it cannot be read now.
    """
    arrays, (attributes, checksum) = _from_hdf5(
        path, lambda file: ({name: file[name][...] for name in file}, _attributes(path, file, kind))
    )
    if _array_digest(arrays, attributes) != checksum:
        raise _damaged(path, "its content does not match its checksum")
    return arrays, attributes


def read_attributes(path: str | Path, kind: str) -> dict[str, Any]:
    """The attributes of an HDF5 artifact and its checksum (`sha256`), without reading its arrays.

    Raises:
        ArtifactError: the file is missing, damaged, or not of this kind.
        FileAccessError: it cannot be read now.
    """
    attributes, checksum = _from_hdf5(path, lambda file: _attributes(path, file, kind))
    return attributes | {"sha256": checksum}


def read_lengths(path: str | Path) -> dict[str, int]:
    """The length of each array of an HDF5 artifact, without reading the arrays.

    Raises:
        ArtifactError: the file is missing or damaged.
        FileAccessError: it cannot be read now.
    """
    return _from_hdf5(path, lambda file: {name: int(file[name].shape[0]) for name in file})


def _from_hdf5(path: str | Path, take: "Callable[[h5py.File], Taken]") -> Taken:
    """Applies `take` to an open HDF5 file.

    The file is opened without a lock: not every file system has locks, and artifacts do not need them because they are
    replaced as a whole. An error of HDF5 does not say whether the system failed or the content is damaged. So the file
    is then read again without HDF5, where errors of the system are clear. If HDF5 fails on those bytes too, they are
    damaged. It succeeds if another program had the file open for writing, or if the system has recovered.
    """
    import h5py

    wrong = (OSError, KeyError, ValueError, RuntimeError, TypeError)
    try:
        with h5py.File(path, "r", locking=False) as file:
            return take(file)
    except wrong:
        with opened(path) as source:
            content = source.read()
    try:
        # From a Python file object, where HDF5 ignores the mark that another program is writing.
        with h5py.File(io.BytesIO(content), "r") as file:
            return take(file)
    except wrong as error:
        # Objects that h5py's frames hold would end the process with a signal if they were freed at Python's exit.
        traceback.clear_frames(error.__traceback__)
        raise _damaged(path, f"not a whole HDF5 artifact ({type(error).__name__})") from None


def _attributes(path: str | Path, file: "h5py.File", kind: str) -> tuple[dict[str, Any], str]:
    """The attributes and the checksum of an open HDF5 artifact."""
    stored = {name: bytes(file.attrs[name]).decode() for name in file.attrs}
    actual_kind, checksum = stored.pop("kind"), stored.pop("sha256")
    attributes = {name: json.loads(text) for name, text in stored.items()}
    _check_kind(path, actual_kind, kind)
    return attributes, checksum


def write_tensors(path: str | Path, kind: str, tensors: "Mapping[str, Tensor]", attributes: Mapping[str, Any]) -> None:
    """Writes named tensors and JSON attributes to a safetensors artifact."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    attributes = _plain(dict(attributes))
    # As NumPy arrays, so that a file without tensors is written without importing torch.
    plain = {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}
    checksum = _array_digest(plain, attributes)
    metadata = {"kind": kind, "sha256": checksum, "attributes": json.dumps(dict(attributes), sort_keys=True)}
    with atomic(path) as temporary:
        try:
            save_file(plain, temporary, metadata={"roco": json.dumps(metadata, sort_keys=True)})
        except SafetensorError as error:
            raise OSError(str(error)) from None


def digest_tensors(tensors: "Mapping[str, Tensor]") -> str:
    """The SHA-256 of named tensors."""
    return _array_digest({name: tensor.detach().cpu().contiguous().numpy() for name, tensor in tensors.items()}, {})


def read_tensors(path: str | Path, kind: str) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    """The tensors (on the CPU) and attributes of a safetensors artifact.

    Raises:
        ArtifactError: the file is missing, damaged, or not of this kind.
        FileAccessError: it cannot be read now.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    with opened(path) as file:
        metadata = _safetensors_metadata(path, file, kind)
        file.seek(0)
        data = file.read()
    try:
        # Not mapped into memory, because an unreadable page would then end the process.
        tensors = load(data)
        checksum = metadata["sha256"]
        attributes: dict[str, Any] = json.loads(metadata["attributes"])
    except (KeyError, ValueError, TypeError, RuntimeError, AssertionError, SafetensorError) as error:
        raise _damaged(path, f"not a whole safetensors artifact ({type(error).__name__})") from None
    if _array_digest({name: tensor.numpy() for name, tensor in tensors.items()}, attributes) != checksum:
        raise _damaged(path, "its content does not match its checksum")
    return tensors, attributes


def read_checksum(path: str | Path, kind: str) -> str:
    """The checksum in a safetensors artifact, without reading its tensors."""
    with opened(path) as file:
        return str(_safetensors_metadata(path, file, kind)["sha256"])


def _safetensors_metadata(path: str | Path, file: BinaryIO, kind: str) -> dict[str, Any]:
    """What `write_tensors` wrote to the header: eight bytes with the length of a JSON text, then the text."""
    try:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length)) if length <= LONGEST_HEADER else {}
        metadata: dict[str, Any] = json.loads(header["__metadata__"]["roco"])
        actual_kind, _ = metadata["kind"], metadata["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"not a whole safetensors artifact ({type(error).__name__})") from None
    _check_kind(path, actual_kind, kind)
    return metadata
