"""What a job's log says of it: when it began, how far it is, how it ended. The logs are written by roco.runtime.job."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ([A-Z]+) (.*)$")
_EPOCH = re.compile(r"^[0-9a-f]{12} epoch (\d+)/(\d+) ")
_FAILED = re.compile(r"^[0-9a-f]{12} failed: ")
_KEPT = re.compile(r"^\d+ genomes: (\d+) in the store")
_BEFORE = re.compile(r"^trained before: ")


@dataclass(frozen=True)
class JobLog:
    """A job's log.

    Attributes:
        begun: when its first line was written.
        written: when its last line was.
        message: what its last line says, without time and level.
        ended: whether it says that the job ended well.
        error: the last line that is an error; empty if there is none.
        trained: how many networks it says are trained, those that the store had included.
    """

    begun: datetime
    written: datetime
    message: str
    ended: bool
    error: str
    trained: int

    @property
    def seconds(self) -> float:
        """From its first line to its last."""
        return (self.written - self.begun).total_seconds()


@dataclass
class JobLogs:
    """The logs of jobs, each read again only when it has changed: those of a study are many, and most have ended.

    Attributes:
        known: by path, the time and size that a log had when it was read, and what it said.
    """

    known: dict[Path, tuple[tuple[int, int], JobLog | None]] = field(default_factory=dict)

    def read(self, path: Path) -> JobLog | None:
        """See `read_log`."""
        try:
            found = path.stat()
        except OSError:
            return None
        state = found.st_mtime_ns, found.st_size
        if self.known.get(path, (None, None))[0] != state:
            self.known[path] = state, read_log(path)
        return self.known[path][1]


def read_log(path: str | Path) -> JobLog | None:
    """A job's log; None if there is none yet, or nothing in it that roco wrote."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return None
    lines = [match.groups() for line in text.splitlines() if (match := _LINE.match(line))]
    if not lines:
        return None
    begun, written = (datetime.strptime(time, "%Y-%m-%d %H:%M:%S") for time in (lines[0][0], lines[-1][0]))
    errors = [message for _, level, message in lines if level in ("ERROR", "CRITICAL")]
    messages = [message for *_, message in lines]
    error = errors[-1] if errors else ""
    return JobLog(begun, written, messages[-1], messages[-1] == "done", error, _trained(messages))


def _trained(messages: list[str]) -> int:
    # Lines, not keys: a network may be trained with several seeds.
    kept = sum(int(match[1]) for message in messages if (match := _KEPT.match(message)))
    last_epochs = sum(1 for message in messages if (match := _EPOCH.match(message)) and match[1] == match[2])
    others = sum(1 for message in messages if _FAILED.match(message) or _BEFORE.match(message))
    return kept + last_epochs + others
