"""The handler of Snakemake's log records: which are shown, and which only update the line."""

import re
import sys
import threading
import time
from logging import INFO, LogRecord

from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_roco.line import CountedJobs, StatusLine

# Announcements of jobs and of Snakemake's surroundings.
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
# The largest share of the time for reading the study's progress: a large study is read less often.
LOOKING_SHARE = 0.05


class LogHandler(LogHandlerBase):
    """Shows a study's progress as one line."""

    def __post_init__(self) -> None:
        """Makes Snakemake's own handler, for everything that is shown as usual."""
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
        """Shows a record, or updates the line."""
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
        """Clears the line."""
        self._stop.set()
        self._line.clear()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        """Replaces Snakemake's own handler."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake writes its log file itself."""
        return False

    @property
    def has_filter(self) -> bool:
        """Has Snakemake's own filter, so that --quiet works."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Has the formatter of Snakemake's own handler."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Needs no rule graph."""
        return False


def pause_after(seconds: float) -> float:
    """The pause before the next update of the line, which took so many seconds."""
    return max(REFRESH_SECONDS, seconds * (1 - LOOKING_SHARE) / LOOKING_SHARE)


def _is_routine(record: LogRecord) -> bool:
    event = getattr(record, "event", None)
    if record.levelno > INFO:
        return False
    return event in ROUTINE_EVENTS or (event is None and ROUTINE_WORDS.match(str(record.msg)) is not None)
