"""Notices when the source files of a data set change: by names, sizes and times, then by content."""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from roco.data.declaration import NamedFile
from roco.data.pictures import told
from roco.data.settings import DatasetConfig
from roco.errors import ArtifactError, DatasetError, RocoError
from roco.files import atomic
from roco.storage.artifacts import read_attributes

# A file that was written so recently may be written again without a change of its time, which has a coarse clock.
_SETTLED_SECONDS = 2.0
_BLOCK = 1 << 20


def source_fingerprint(config: DatasetConfig) -> str | None:
    """SHA-256 over the names and contents of the source files of a data set, in hex.

    Contents are read only if names, sizes or times differ from those of the last reading, which are kept in the user's
    cache folder.

    Returns:
        None if there are no files: digits come with a package, and published sets may not have been downloaded yet.

    Raises:
        DatasetError: they cannot be read.
    """
    files = config.source.files(config.source_path)
    if not files:
        return None
    try:
        state = _state(files)
        kept = _cached(config)
        if kept is not None and kept.get("state") == state:
            return str(kept["fingerprint"])
        begun = time.time()
        fingerprint = _content(files)
        if _state(files) != state:
            raise DatasetError(f"{told(config.path or config.name)}: was changed while it was read; run again")
    except OSError as error:
        where = told(error.filename or config.path or config.name)
        raise DatasetError(f"{where}: cannot be read ({error.strerror or error}); solve that and run again") from None
    if _newest(files) < begun - _SETTLED_SECONDS:
        _keep(config, {"state": state, "fingerprint": fingerprint})
    return fingerprint


def change_since(config: DatasetConfig, dataset_path: str | Path) -> str | None:
    """Whether a data set file has to be made again because its source files have changed.

    Returns:
        One sentence if so; None if they are the same, or have been deleted, or there is no data set yet.

    Raises:
        DatasetError: the source cannot be read.
    """
    if not Path(dataset_path).exists():
        return None
    try:
        attributes = read_attributes(dataset_path, "dataset")
    except ArtifactError:
        # The steps that read the file report it.
        return None
    fingerprint = source_fingerprint(config)
    if fingerprint is None or fingerprint == attributes.get("source_fingerprint"):
        return None
    source = told(config.path or config.name)
    if "source_fingerprint" not in attributes:
        return f"{dataset_path} does not say which images of {source} it was made from; it is made anew"
    return f"{source} was changed since {dataset_path} was made from it; what depends on it is made anew"


def _state(files: Sequence[NamedFile]) -> str:
    """A digest of names, sizes, times and inodes. They include ctime, which `cp -p` cannot set."""
    checksum = hashlib.sha256()
    for name, path in files:
        status = path.stat()
        facts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        checksum.update(os.fsencode(name) + b"\0" + repr(facts).encode())
    return checksum.hexdigest()


def _newest(files: Sequence[NamedFile]) -> float:
    return max(max(status.st_mtime, status.st_ctime) for status in (path.stat() for _, path in files))


def _content(files: Sequence[NamedFile]) -> str:
    checksum = hashlib.sha256()
    for name, path in files:
        checksum.update(os.fsencode(name) + b"\0" + str(path.stat().st_size).encode() + b"\0")
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                checksum.update(block)
    return checksum.hexdigest()


def _cache_file(config: DatasetConfig) -> Path:
    # Not by roco.networks.compiled's `cache_folder`, because its package imports torch.
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roco" / "sources"
    path = os.path.abspath(config.source_path)  # noqa: PTH100 (resolve would follow a link, which is another source)
    return root / f"{hashlib.sha256(f'{config.name}:{path}'.encode()).hexdigest()[:24]}.json"


def _cached(config: DatasetConfig) -> dict[str, str] | None:
    # RuntimeError: the user has no home folder.
    try:
        kept = json.loads(_cache_file(config).read_text())
    except (OSError, ValueError, RuntimeError):
        return None
    return kept if isinstance(kept, dict) and kept.keys() == {"state", "fingerprint"} else None


def _keep(config: DatasetConfig, kept: dict[str, str]) -> None:
    # Errors are ignored because the cache only saves time.
    with contextlib.suppress(OSError, RuntimeError, RocoError), atomic(_cache_file(config)) as temporary:
        temporary.write_text(json.dumps(kept))
