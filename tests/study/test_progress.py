import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from half_done_study import START, begin, config_of, failed, finish, line

from roco.config import StudyConfig
from roco.study import job_progress
from roco.study.job_progress import JobProgress, ProgressFiles, read_progress
from roco.study.layout import Job, Layout
from roco.study.lock import lock_results
from roco.study.progress import study_state


@pytest.fixture
def config(tmp_path: Path):
    return config_of(tmp_path)


def jobs_of(config, rule: str) -> list[Job]:
    return [job for job in Layout(config).jobs() if job.rule == rule]


@contextlib.contextmanager
def locked(config: StudyConfig) -> Iterator[None]:
    """As if a run were at work."""
    descriptor = lock_results(config.folder)
    assert descriptor is not None
    yield
    os.close(descriptor)


def test_progress_says_when_a_job_began_and_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "job.progress.jsonl"
    assert read_progress(path) is None
    path.write_text("")
    assert read_progress(path) is None
    path.write_text(
        line(0, "rule evaluate {}", state="running")
        + line(1, "4 genomes: 1 in the store, 3 to evaluate", networks=1)
        + line(9, "1 genomes evaluated", networks=1)
        + line(9, "0123456789ab epoch 1/2 loss 1.0")
        # Another process has just begun to write.
        + line(10, "cut short")[:20]
    )
    progress = read_progress(path)
    assert progress is not None
    assert (progress.begun, progress.seconds, progress.networks) == (START, 9, 2)
    assert (progress.state, progress.message) == ("running", "0123456789ab epoch 1/2 loss 1.0")
    with path.open("a") as file:
        file.write("\n" + line(11, "2 genomes evaluated", networks=2) + line(12, "done", state="done"))
    progress = read_progress(path)
    assert progress is not None
    assert (progress.networks, progress.ended, progress.error) == (4, True, "")


def test_only_files_that_have_changed_are_read_again(config, monkeypatch: pytest.MonkeyPatch) -> None:
    # The live line looks every few seconds: to read all files each time would grow with the square of a study.
    cells = jobs_of(config, "adversarial_cells")
    finish(cells[0], at=0, seconds=4)
    begin(cells[1], at=5)
    read, files = list[Path](), ProgressFiles()

    def counted(path: Path) -> JobProgress | None:
        read.append(path)
        return read_progress(path)

    monkeypatch.setattr(job_progress, "read_progress", counted)
    first = study_state(config, files=files)
    assert sorted(read) == sorted([cells[0].progress, cells[1].progress])
    assert study_state(config, files=files) == first
    assert len(read) == 2
    with cells[1].progress.open("a") as file:
        file.write(failed(9, "no such file"))
    assert study_state(config, files=files).stage("adversarial_cells").failed == ((cells[1], "no such file"),)
    assert read[2:] == [cells[1].progress]
    cells[1].progress.unlink()
    assert study_state(config, files=files).stage("adversarial_cells").failed == ()


def test_a_study_that_was_never_started(config) -> None:
    state = study_state(config)
    assert not state.finished
    assert (state.holder, state.seconds_left) == ("", None)
    assert {stage.done for stage in state.stages} == {0}
    # 4 genomes at first, 2 in each of 2 generations of 2 searches; slots of 2 searches.
    assert [state.stage(rule).total for rule in ("target", "adversarial_cells", "evaluate", "retrain")] == [1, 4, 12, 4]


def test_jobs_are_done_running_or_failed(config) -> None:
    cells, (target,) = jobs_of(config, "adversarial_cells"), jobs_of(config, "target")
    finish(target, at=0, seconds=8)
    finish(cells[0], at=10, seconds=4)
    begin(cells[1], failed(13, "no such file"), at=12)
    begin(cells[2], line(14, "half of it"), at=12)
    at_rest = study_state(config).stage("adversarial_cells")
    # Without a run at work, what has not ended was interrupted.
    assert (at_rest.done, at_rest.running, at_rest.jobs_left) == (1, (), 3)
    assert [(job, error) for job, error in at_rest.failed] == [(cells[1], "no such file")]
    with locked(config):
        running = study_state(config)
        assert running.holder.startswith(f"process {os.getpid()} on ")
        assert [(job, progress.message) for job, progress in running.stage("adversarial_cells").running] == [
            (cells[2], "half of it")
        ]
    assert study_state(config).holder == ""


def test_genomes_of_running_jobs_count(config) -> None:
    first, second, *_ = jobs_of(config, "evaluate")
    finish(first, at=0, seconds=10)
    begin(second, line(5, "1 genomes evaluated", networks=1), at=1)
    with locked(config):
        assert study_state(config).stage("evaluate").done == 3


def test_time_left_is_that_of_the_open_jobs_at_the_pace_of_the_others(config) -> None:
    robustness = jobs_of(config, "robustness")
    others = [job for job in Layout(config).jobs() if job.rule not in ("robustness", "report_page")]
    for number, job in enumerate(others):
        # Two at once, ten seconds each, a second's pause after each pair.
        finish(job, at=11 * (number // 2), seconds=10)
    finish(robustness[0], at=1000, seconds=10)
    begin(robustness[1], line(1004, "working"), at=1000)
    with locked(config):
        left = study_state(config, now=START + timedelta(seconds=1004)).seconds_left
    pairs, ended = -(-len(others) // 2), len(others) + 1
    # Busy seconds over seconds in which any job ran; the pauses, a job.
    at_once, idle = 10 * ended / (10 * (pairs + 1)), (pairs - 1) / ended
    assert left == pytest.approx((3 * 10 - 4) / at_once + 3 * idle)


def test_stages_of_which_nothing_is_known_are_named(config) -> None:
    (dataset,), (target,) = jobs_of(config, "dataset"), jobs_of(config, "target")
    finish(dataset, at=0, seconds=5)
    later = ("adversarial sets", "search", "retraining", "white-box attacks")
    assert study_state(config).unmeasured == ("targets", *later)
    finish(target, at=6, seconds=5)
    assert study_state(config).unmeasured == later


def test_a_finished_study_has_no_time_left(config) -> None:
    for job in Layout(config).jobs():
        finish(job, at=0, seconds=1)
    state = study_state(config)
    assert state.finished
    assert state.seconds_left is None
