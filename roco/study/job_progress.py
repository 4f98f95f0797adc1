"""The progress of a job, from the file beside its log, with a line of JSON per log line; roco.runtime writes it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from roco.runtime import State


@dataclass(frozen=True)
class JobProgress:
    """The progress of a job.

    Attributes:
        begun: the time of its first line.
        written: the time of its last line.
        message: its last line.
        state: its last state.
        error: its last error, which says why it failed; empty if there is none.
        networks: the number of trained networks, including those from the store.
        joules: the energy that its GPU took while it ran, for all jobs on it; None if unknown.
    """

    begun: datetime
    written: datetime
    message: str
    state: State
    error: str
    networks: int
    joules: float | None = None

    @property
    def ended(self) -> bool:
        """Whether it ended without an error."""
        return self.state == "done"

    @property
    def seconds(self) -> float:
        """From its first line to its last."""
        return (self.written - self.begun).total_seconds()


@dataclass
class ProgressFiles:
    """Progress files, each read again only after a change: a study has many, and most of their jobs have ended.

    Attributes:
        known: by path, the time and size of a file when it was read, and its content.
    """

    known: dict[Path, tuple[tuple[int, int], JobProgress | None]] = field(default_factory=dict)

    def read(self, path: Path) -> JobProgress | None:
        """See `read_progress`."""
        try:
            status = path.stat()
        except OSError:
            return None
        version = status.st_mtime_ns, status.st_size
        if self.known.get(path, (None, None))[0] != version:
            self.known[path] = version, read_progress(path)
        return self.known[path][1]


def read_progress(path: str | Path) -> JobProgress | None:
    """A job's progress; None if the file does not exist or is empty."""
    lines = list(_lines(path))
    if not lines:
        return None
    begun, written = (datetime.fromtimestamp(line["time"]) for line in (lines[0], lines[-1]))
    errors = [line["message"] for line in lines if line["level"] in ("ERROR", "CRITICAL")]
    return JobProgress(
        begun=begun,
        written=written,
        message=lines[-1]["message"],
        state=next((line["state"] for line in reversed(lines) if "state" in line), "running"),
        error=errors[-1] if errors else "",
        networks=sum(line.get("networks", 0) for line in lines),
        joules=next((line["joules"] for line in reversed(lines) if "joules" in line), None),
    )


def _lines(path: str | Path) -> Iterator[dict[str, Any]]:
    """The complete lines: the last line may just be written, and a full disk may have cut a line short."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict) and {"time", "level", "message"} <= content.keys():
            yield content
