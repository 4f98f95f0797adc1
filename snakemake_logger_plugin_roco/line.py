"""The line itself, and the jobs that are counted for it."""

import shutil
import threading
import time
from dataclasses import dataclass, field
from logging import LogRecord
from typing import TextIO

from snakemake_interface_logger_plugins.common import LogEvent

from roco.config import StudyConfig
from roco.errors import RocoError
from roco.study.files import in_words
from roco.study.job_progress import ProgressFiles
from roco.study.progress import duration, study_state, summary

CLEAR = "\r\x1b[2K"


@dataclass
class CountedJobs:
    """Snakemake's jobs, counted from its log records.

    Attributes:
        total: the number of jobs of this run.
        done: the number of finished jobs.
        names: rule and wildcards of announced jobs, by number.
        begun: the time of their announcement.
    """

    total: int = 0
    done: int = 0
    names: dict[int, str] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)

    @property
    def all_done(self) -> bool:
        """Whether no job is left."""
        return bool(self.total) and self.done >= self.total

    @property
    def counted(self) -> str:
        """The number of finished jobs, in words."""
        return f"{self.done} of {self.total} jobs"

    def take(self, record: LogRecord) -> str:
        """Reads a record about a job; returns a line for a finished job, else an empty text."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self.total = int(record.stats.get("total", self.total))  # type: ignore[attr-defined]
        elif event == LogEvent.PROGRESS:
            self.done, self.total = record.done, record.total  # type: ignore[attr-defined]
        elif event == LogEvent.JOB_INFO:
            number = record.jobid  # type: ignore[attr-defined]
            self.names[number], self.begun[number] = _words(record), time.monotonic()
        elif event == LogEvent.JOB_FINISHED:
            number = record.job_id  # type: ignore[attr-defined]
            seconds = time.monotonic() - self.begun.pop(number, time.monotonic())
            # Snakemake counts the job after this record.
            return f"{self.done + 1} of {self.total} jobs: {self.names.pop(number, number)} ({duration(seconds)})"
        return ""


def _words(record: LogRecord) -> str:
    """A job's rule and wildcards."""
    return ", ".join(filter(None, (record.rule_name, in_words(record.wildcards))))  # type: ignore[attr-defined]


class StatusLine:
    """A line of a stream, renewed in place if the stream is a terminal.

    Attributes:
        live: whether the stream is a terminal.
        study: the study whose progress it shows, once it is known.
    """

    def __init__(self, stream: TextIO) -> None:
        self.live = stream.isatty()
        self.study: StudyConfig | None = None
        self._stream, self._lock, self._shown = stream, threading.Lock(), False
        self._files = ProgressFiles()

    def show(self, counted: str) -> None:
        """Renews the line: the study's progress and the jobs counted."""
        text = f"{self._progress()}; {counted}"
        with self._lock:
            columns = shutil.get_terminal_size().columns
            self._stream.write(f"{CLEAR}{text[: columns - 1]}")
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        """Clears the line, before something else is written."""
        with self._lock:
            if self._shown:
                self._stream.write(CLEAR)
                self._stream.flush()
            self._shown = False

    def print(self, text: str) -> None:
        """Writes a line that stays."""
        self.clear()
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def _progress(self) -> str:
        # An error here must not end a run.
        try:
            return summary(study_state(self.study, files=self._files)) if self.study else ""
        except (RocoError, OSError, ValueError, KeyError):
            return self.study.experiment if self.study else ""
