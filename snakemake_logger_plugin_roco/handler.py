"""The handler of Snakemake's log records: which are shown, which only move the line on."""

import re
import sys
import threading
import time
from logging import INFO, LogRecord

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_roco.line import CountedJobs, StatusLine

# Announcements of jobs and of what Snakemake found around itself.
ROUTINE_EVENTS = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RUN_INFO,
    LogEvent.RESOURCES_INFO,
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.GROUP_INFO,
    LogEvent.PROGRESS,
    LogEvent.SHELLCMD,
    LogEvent.RULEGRAPH,
}
ROUTINE_WORDS = re.compile(
    r"Using shell|Using workflow specific profile|Building DAG|Assuming unrestricted|host:|Select jobs to execute"
    r"|Execute \d+ jobs|Conda environments|Singularity containers|Job \d+ has been submitted"
)
REFRESH_SECONDS = 2.0
# Of the time, at most, that looking at the study may take: a large one is looked at less often.
LOOKING_SHARE = 0.05


class LogHandler(LogHandlerBase):
    """Shows a study's progress as one line."""

    def __post_init__(self) -> None:
        """Takes Snakemake's own handler for all that is shown as Snakemake shows it."""
        settings = self.common_settings
        stream = sys.stdout if settings.stdout else sys.stderr
        self._plain = ColorizingTextHandler(
            nocolor=settings.nocolor,
            stream=stream,
            formatter=DefaultFormatter(settings.quiet, settings.show_failed_logs),
        )
        self.addFilter(
            DefaultFilter(
                settings.quiet, settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds
            )
        )
        asked = settings.dryrun or settings.verbose or settings.debug_dag or settings.printshellcmds
        self._full = bool(asked or settings.quiet)
        self._jobs = CountedJobs()
        self._line = StatusLine(stream)
        self._stop = threading.Event()

    def emit(self, record: LogRecord) -> None:
        """Shows a record, or what it changes."""
        if self._full:
            self._plain.emit(record)
            return
        finished = self._jobs.take(record)
        if getattr(record, "study", None) is not None:
            self._start(record)
        elif not _is_routine(record):
            self._line.clear()
            self._plain.emit(record)
        elif finished and not self._line.live:
            self._line.print(finished)

    def _start(self, record: LogRecord) -> None:
        self._line.study = record.study  # type: ignore[attr-defined]
        jobs = "1 job" if self._jobs.total == 1 else f"{self._jobs.total} jobs"
        self._line.print(f"{jobs}; {record.getMessage()}")
        if self._line.live:
            threading.Thread(target=self._renew, daemon=True).start()

    def _renew(self) -> None:
        while not self._stop.is_set() and not self._jobs.all_done:
            began = time.monotonic()
            self._line.show(self._jobs.counted)
            self._stop.wait(pause_after(time.monotonic() - began))
        self._line.clear()

    def close(self) -> None:
        """Takes the line away."""
        self._stop.set()
        self._line.clear()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """In place of Snakemake's own handler."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake's log file is its own."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own, so that --quiet means the same."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Of the handler behind this one."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It does not."""
        return False


def pause_after(seconds: float) -> float:
    """How long the line stays as it is when it took so many seconds to make."""
    return max(REFRESH_SECONDS, seconds * (1 - LOOKING_SHARE) / LOOKING_SHARE)


def _is_routine(record: LogRecord) -> bool:
    event = getattr(record, "event", None)
    if record.levelno > INFO:
        return False
    return event in ROUTINE_EVENTS or (event is None and ROUTINE_WORDS.match(str(record.msg)) is not None)
