"""`--logger roco`: what a person sees, at a terminal and elsewhere. The records are those that Snakemake 9 makes."""

import io
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from half_done_study import begin, config_of, finish
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from roco.study.layout import Layout
from snakemake_logger_plugin_roco import LogHandler
from snakemake_logger_plugin_roco import line as line_module
from snakemake_logger_plugin_roco.handler import pause_after


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str | None, event: LogEvent | None = None, *, level: int = logging.INFO, **more: object):
    made = logging.LogRecord("snakemake", level, __file__, 1, message, (), None)
    if event is not None:
        more["event"] = event
    made.__dict__.update(more)
    return made


def announced(number: int, rule: str, **wildcards: str) -> logging.LogRecord:
    return record(f" Rule: {rule}", LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards=wildcards)


def handler_on(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, **settings: object) -> LogHandler:
    monkeypatch.setattr("sys.stderr", stream)
    common = {"quiet": set(), "debug_dag": False, "verbose": False, "dryrun": False, "printshellcmds": False}
    common |= {"nocolor": True, "stdout": False, "show_failed_logs": True}
    return LogHandler(SimpleNamespace(**(common | settings)), None)


def send(handler: LogHandler, *records: logging.LogRecord) -> None:
    for each in records:
        handler.handle(each)


def run_of_two_jobs(handler: LogHandler, config: object) -> None:
    send(
        handler,
        record("Building DAG of jobs..."),
        record("Using shell: /bin/bash"),
        record("Job stats:\njob  count", LogEvent.RUN_INFO, stats={"total": 2, "dataset": 1, "target": 1}),
        record("logs are there", study=config),
        announced(1, "dataset"),
        record("Finished jobid: 1", LogEvent.JOB_FINISHED, job_id=1),
        record(None, LogEvent.PROGRESS, done=1, total=2),
        announced(2, "evaluate", search="roco", seed="0", generation="001"),
        record("Job 2 has been submitted with SLURM jobid 77"),
        record("Finished jobid: 2", LogEvent.JOB_FINISHED, job_id=2),
        record(None, LogEvent.PROGRESS, done=2, total=2),
        record("The report is at there.html"),
    )


def test_a_line_for_each_job_where_nobody_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = handler_on(stream, monkeypatch)
    run_of_two_jobs(handler, config_of(tmp_path))
    handler.close()
    assert stream.getvalue().splitlines() == [
        "2 jobs; logs are there",
        "1 of 2 jobs: dataset (0 s)",
        "2 of 2 jobs: evaluate, roco, seed 0, generation 001 (0 s)",
        "The report is at there.html",
    ]


def test_one_line_that_is_renewed_at_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, stream = config_of(tmp_path), Terminal()
    finish(next(Layout(config).jobs()), at=0, seconds=1)
    shown = line_module.StatusLine(stream)
    shown.study = config
    monkeypatch.setenv("COLUMNS", "60")
    shown.show("1 of 2 jobs")
    shown.print("something else")
    shown.show("2 of 2 jobs")
    shown.clear()
    clear = line_module.CLEAR
    assert stream.getvalue() == (
        f"{clear}made_up: targets 0 of 1; 1 of 2 jobs{clear}something else\n"
        f"{clear}made_up: targets 0 of 1; 2 of 2 jobs{clear}"
    )


def test_jobs_leave_no_lines_at_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    handler = handler_on(stream, monkeypatch)
    run_of_two_jobs(handler, config_of(tmp_path))
    handler.close()
    lines = [text.split(line_module.CLEAR)[-1] for text in stream.getvalue().split("\n")]
    assert lines == ["2 jobs; logs are there", "The report is at there.html", ""]


def test_a_study_that_takes_long_to_look_at_is_looked_at_less_often() -> None:
    assert pause_after(0.01) == 2.0
    assert pause_after(0.5) == pytest.approx(9.5)


def test_an_error_is_shown_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, stream = tmp_path / "job.log", Terminal()
    log.write_text("what went wrong\n")
    handler = handler_on(stream, monkeypatch)
    failed = {"rule_name": "target", "rule_msg": None, "jobid": 3, "input": [], "output": ["a"], "log": [str(log)]}
    failed |= {"conda_env": None, "container_img": None, "aux": {}, "shellcmd": None, "indent": False}
    send(handler, record("Error in rule target", LogEvent.JOB_ERROR, level=logging.ERROR, **failed))
    send(handler, record("Trying to restart job 3."))
    text = stream.getvalue()
    for expected in ("Error in rule target:", f"log: {log}", "what went wrong", "Trying to restart job 3."):
        assert expected in text


@pytest.mark.parametrize("settings", [{"dryrun": True}, {"verbose": True}, {"printshellcmds": True}])
def test_who_asks_for_more_sees_what_snakemake_shows(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = handler_on(stream, monkeypatch, **settings)
    send(handler, record("Building DAG of jobs..."), record("Job stats:", LogEvent.RUN_INFO, stats={"total": 2}))
    assert stream.getvalue() == "Building DAG of jobs...\nJob stats:\n"


def test_quiet_means_what_it_means_to_snakemake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    run_of_two_jobs(handler_on(stream, monkeypatch, quiet={Quietness.ALL}), config_of(tmp_path))
    assert stream.getvalue() == ""


def test_a_study_that_cannot_be_read_does_not_end_the_run(tmp_path: Path) -> None:
    config, stream = config_of(tmp_path), Terminal()
    job = next(Layout(config).jobs())
    begin(job, at=0)
    # No clock says so.
    job.progress.write_text(job.progress.read_text().replace('"time": 1', '"time": 99991'))
    shown = line_module.StatusLine(stream)
    shown.study = config
    shown.show("1 of 2 jobs")
    assert stream.getvalue() == f"{line_module.CLEAR}made_up; 1 of 2 jobs"
