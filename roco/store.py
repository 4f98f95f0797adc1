"""A store of finished work by content key, outside of Snakemake's sight: what is in it is never computed again.

Snakemake deletes the outputs of a job that fails or is killed; what the job had finished by then is here. An entry is
written atomically and read with its checksum; one that is damaged counts as missing.
"""

import logging
from pathlib import Path
from typing import Any

from roco.artifacts import read_json, write_json
from roco.errors import ArtifactError

log = logging.getLogger("roco")


class Store:
    """Entries below `root`, one file each, at `root/{kind}/{key}`.

    Several processes may use one folder at once: they would write the same content under the same key.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, kind: str, key: str, *, suffix: str = ".json") -> Path:
        """Where the entry of a kind and key is, whether it exists or not."""
        return self.root / kind / f"{key}{suffix}"

    def read(self, kind: str, key: str) -> Any | None:
        """The content of an entry, or None if it is not there or damaged."""
        path = self.path(kind, key)
        if not path.exists():
            return None
        try:
            return read_json(path, kind)
        except ArtifactError as error:
            log.warning("%s (computed again)", error)
            return None

    def write(self, kind: str, key: str, content: object) -> None:
        """Keeps the content of an entry."""
        write_json(self.path(kind, key), kind, content)
