"""A store of finished work by content keys. Snakemake does not know it, and nothing in it is computed again.

Snakemake deletes the outputs of a job that fails or is killed; the work that the job had finished stays in the store.
Entries are written atomically and checked when they are read. A damaged entry counts as missing. An entry that the
system cannot read now raises an error instead: it may be whole, and computing it again would hide the problem.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from roco.errors import ArtifactError
from roco.files import is_there
from roco.storage.artifacts import Array, check_provenance, read_arrays, read_json, write_arrays, write_json

log = logging.getLogger("roco")

Content = TypeVar("Content")


class Store:
    """Entries below `root`, one file each, at `root/{kind}/{key}`. Each file contains its own key.

    Several processes may use the same folder at once, because they write the same content under the same key.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, kind: str, key: str, *, suffix: str = ".json") -> Path:
        """The file of an entry, which may not exist."""
        return self.root / kind / f"{key}{suffix}"

    def read(self, kind: str, key: str) -> Any | None:
        """The content of an entry, or None if it is missing, damaged, or belongs to another key.

        Raises:
            FileAccessError: it cannot be read now.
        """

        def content(path: Path) -> tuple[object, Mapping[str, object]]:
            entry = read_json(path, kind)
            entry = entry if isinstance(entry, dict) else {}
            return entry.get("content"), entry

        return _checked(self.path(kind, key), key, content)

    def write(self, kind: str, key: str, content: object) -> None:
        """Writes the content of an entry."""
        write_json(self.path(kind, key), kind, {"key": key, "content": content})

    def read_arrays(self, kind: str, key: str) -> dict[str, Array] | None:
        """The arrays of an entry; see `read`."""
        return _checked(self.path(kind, key, suffix=".h5"), key, lambda path: read_arrays(path, kind))

    def write_arrays(self, kind: str, key: str, arrays: Mapping[str, Array]) -> None:
        """Writes the arrays of an entry."""
        write_arrays(self.path(kind, key, suffix=".h5"), kind, arrays, {"key": key}, compress=True)


def _checked(path: Path, key: str, read: Callable[[Path], tuple[Content, Mapping[str, object]]]) -> Content | None:
    """What is read from an entry, from which its attributes come too; None if it is not a whole one of this key."""
    if not is_there(path):
        return None
    try:
        content, attributes = read(path)
        check_provenance(path, attributes, {"key": key})
        return content
    except ArtifactError as error:
        log.warning("%s (computed again)", error)
        return None
