"""Reading and writing results: JSON, HDF5 and safetensors files that are whole, checked and reproducible.

Every file is written under a temporary name, synced and renamed, so that it is either complete or not there.
Every file names its kind and carries a SHA-256 of its content; a file that is truncated, edited or of another kind
raises ArtifactError with one line. Nothing here unpickles. What the contents mean is known to the callers.
"""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roco.errors import ArtifactError, GenomeError

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary name in the folder of `path`; what is written there becomes `path` if nothing is raised.

    Raises:
        ArtifactError: it cannot be written (no space, no permission); `path` is as it was before.
    """
    path = Path(path)
    # With the machine's name: two machines may have one folder, and processes of the same number.
    begin, end = f".{path.stem}.{platform.node()}.", f".partial{path.suffix}"
    temporary = path.with_name(f"{begin}{os.getpid()}{end}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_leftovers(path.parent, begin=begin, end=end)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        reason = (error.strerror or " ".join(str(error).split()))[:200]
        raise ArtifactError(f"{path}: cannot be written ({reason}); see to it and run the same command again") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _drop_leftovers(folder: Path, *, begin: str, end: str) -> None:
    """Deletes what processes of this machine that were killed had begun to write under these names."""
    for leftover in folder.iterdir():
        process = leftover.name.removeprefix(begin).removesuffix(end)
        if leftover.name == f"{begin}{process}{end}" and process.isdigit():
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                leftover.unlink(missing_ok=True)
            except OSError:
                continue


def _sync_folder(folder: Path) -> None:
    """Makes a new name in a folder outlive a power failure, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(payload: object, *, length: int = 64) -> str:
    """The first `length` hex digits of the SHA-256 of a JSON value in its canonical form."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _plain(value: Any) -> Any:
    """A value as JSON gives it back: keys are text, which sorts otherwise than numbers do, and tuples are lists."""
    return json.loads(json.dumps(value, allow_nan=False))


def _array_digest(arrays: Mapping[str, Array], attributes: Mapping[str, Any]) -> str:
    checksum = hashlib.sha256(json.dumps(dict(attributes), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        checksum.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        checksum.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return checksum.hexdigest()


def _damaged(path: Path, reason: str) -> ArtifactError:
    return ArtifactError(f"{path}: {reason}; delete it and run the same command again to make it anew")


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; it is made by an earlier step of the workflow")
    return path


def check_provenance(path: str | Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuses a file that is whole, but was made for something else.

    Args:
        path: of the file.
        found: what the file says of itself.
        expected: some of that, as it has to be.

    Raises:
        ArtifactError: they differ.
    """
    for name, value in expected.items():
        if name not in found or found[name] != value:
            was = f"{found[name]!r:.80}" if name in found else "nothing"
            reason = f"expected {name} {value!r:.80}, found {was}: it was made for something else"
            raise _damaged(Path(path), reason)


@contextlib.contextmanager
def schema(path: str | Path, kind: str) -> Iterator[None]:
    """Raises ArtifactError for what is missing or misplaced in the content of a file whose checksum is right."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, GenomeError) as error:
        reason = f"not what '{kind}' holds ({type(error).__name__}: {' '.join(str(error).split())[:100]})"
        raise _damaged(Path(path), reason) from None


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
    """
    path = _existing(path)
    try:
        document = json.loads(path.read_text())
        found, checksum, content = document["kind"], document["sha256"], document["content"]
        actual = digest(content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, f"not a whole JSON artifact ({type(error).__name__})") from None
    if found != kind:
        raise _damaged(path, f"expected an artifact of kind '{kind}', found '{found}'")
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
    # Made in memory: HDF5 that runs out of disk while it writes brings the process down.
    # From v110 on HDF5 keeps checksums of its own structures, but not of the heap that texts of variable length
    # lie in, and a damaged heap can make it loop for ever: attributes are texts of fixed length.
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
    """
    arrays, attributes, checksum = _read_hdf5(_existing(path), kind, with_arrays=True)
    if _array_digest(arrays, attributes) != checksum:
        raise _damaged(Path(path), "its content does not match its checksum")
    return arrays, attributes


def read_attributes(path: str | Path, kind: str) -> dict[str, Any]:
    """The attributes of an HDF5 artifact and its checksum (`sha256`), without reading its arrays.

    Raises:
        ArtifactError: the file is missing, damaged, or not of this kind.
    """
    _, attributes, checksum = _read_hdf5(_existing(path), kind, with_arrays=False)
    return attributes | {"sha256": checksum}


def _read_hdf5(path: Path, kind: str, *, with_arrays: bool) -> tuple[dict[str, Array], dict[str, Any], str]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stored = {name: bytes(file.attrs[name]).decode() for name in file.attrs}
            arrays = {name: file[name][...] for name in file} if with_arrays else {}
        found, checksum = stored.pop("kind"), stored.pop("sha256")
        attributes = {name: json.loads(text) for name, text in stored.items()}
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise _damaged(path, f"not a whole HDF5 artifact ({type(error).__name__})") from None
    if found != kind:
        raise _damaged(path, f"expected an artifact of kind '{kind}', found '{found}'")
    return arrays, attributes, checksum


def write_tensors(path: str | Path, kind: str, tensors: "Mapping[str, Tensor]", attributes: Mapping[str, Any]) -> None:
    """Writes named tensors and JSON attributes to a safetensors artifact."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    attributes = _plain(dict(attributes))
    # As NumPy arrays: a file without tensors is then written without importing torch.
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
    """
    path = _existing(path)
    metadata, tensors = _read_safetensors(path, kind, framework="pt")
    try:
        checksum = metadata["sha256"]
        attributes: dict[str, Any] = json.loads(metadata["attributes"])
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(path, f"not a whole safetensors artifact ({type(error).__name__})") from None
    if _array_digest({name: tensor.numpy() for name, tensor in tensors.items()}, attributes) != checksum:
        raise _damaged(path, "its content does not match its checksum")
    return tensors, attributes


def read_checksum(path: str | Path, kind: str) -> str:
    """The checksum that a safetensors artifact carries, without reading its tensors."""
    path = _existing(path)
    return str(_read_safetensors(path, kind, framework="np", tensors=False)[0]["sha256"])


def _read_safetensors(
    path: Path, kind: str, *, framework: str, tensors: bool = True
) -> "tuple[dict[str, Any], dict[str, Tensor]]":
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework=framework) as file:
            metadata = json.loads(file.metadata()["roco"])
            found, _ = metadata["kind"], metadata["sha256"]
            # Copied: a tensor backed by the mapped file would see a later change of it.
            read = {name: file.get_tensor(name).clone() for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (OSError, KeyError, ValueError, TypeError, SafetensorError) as error:
        raise _damaged(path, f"not a whole safetensors artifact ({type(error).__name__})") from None
    if found != kind:
        raise _damaged(path, f"expected an artifact of kind '{kind}', found '{found}'")
    return metadata, read
