import fcntl
from datetime import timedelta
from pathlib import Path

import pytest
from half_done_study import START, begin, config_of, finish, individual, line, write_population

from roco.study import joblogs
from roco.study.joblogs import JobLog, JobLogs, read_log
from roco.study.layout import Job, Layout
from roco.study.progress import running_process, study_state
from roco.study.workload import Work, evaluation_work, images_of, retraining_work, robustness_work


@pytest.fixture
def config(tmp_path: Path):
    return config_of(tmp_path)


def jobs_of(config, rule: str) -> list[Job]:
    return [job for job in Layout(config).jobs() if job.rule == rule]


def passes(work: Work) -> int:
    return 3 * (work.trained + work.gradient + work.alone) + work.forward


def hold(config):
    """The lock of a run at work."""
    path = Path(config.folder) / ".running"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.write("process 7 on there")
    file.flush()
    return file


def test_a_log_says_when_it_began_and_how_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    assert read_log(log) is None
    log.write_text("Traceback of something else\n")
    assert read_log(log) is None
    key, other = "0123456789ab", "ba9876543210"
    log.write_text(
        line(0, "rule evaluate {}")
        + line(1, "4 genomes: 1 in the store, 3 to evaluate")
        + line(2, f"{key} epoch 1/2 loss 2.0")
        + line(9, f"{key} epoch 2/2 loss 1.0")
        + line(9, f"{other} epoch 1/2 loss 1.0")
    )
    found = read_log(log)
    assert found is not None
    assert (found.begun, found.seconds, found.trained, found.ended) == (START, 9, 2, False)
    assert found.message == f"{other} epoch 1/2 loss 1.0"
    with log.open("a") as file:
        file.write(line(11, f"{other} failed: out of memory", level="WARNING") + line(12, "done"))
    found = read_log(log)
    assert found is not None
    assert (found.trained, found.ended, found.error) == (3, True, "")


def test_only_logs_that_have_changed_are_read_again(config, monkeypatch: pytest.MonkeyPatch) -> None:
    # The live line looks every few seconds: all logs each time grow with the square of a study.
    cells = jobs_of(config, "adversarial_cells")
    finish(cells[0], at=0, seconds=4)
    begin(cells[1], at=5)
    read, logs = list[Path](), JobLogs()

    def counted(path: Path) -> JobLog | None:
        read.append(path)
        return read_log(path)

    monkeypatch.setattr(joblogs, "read_log", counted)
    first = study_state(config, logs=logs)
    assert sorted(read) == sorted([cells[0].log, cells[1].log])
    assert study_state(config, logs=logs) == first
    assert len(read) == 2
    with cells[1].log.open("a") as file:
        file.write(line(9, "no such file", level="ERROR"))
    (failed,) = study_state(config, logs=logs).stage("adversarial_cells").failed
    assert failed == (cells[1], "no such file")
    assert read[2:] == [cells[1].log]
    cells[1].log.unlink()
    assert study_state(config, logs=logs).stage("adversarial_cells").failed == ()


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
    begin(cells[1], line(13, "no such file", level="ERROR"), at=12)
    begin(cells[2], line(14, "half of it"), at=12)
    at_rest = study_state(config).stage("adversarial_cells")
    # Without a run at work, what has not ended was interrupted.
    assert (at_rest.done, at_rest.running, at_rest.jobs_left) == (1, (), 3)
    assert [(job, error) for job, error in at_rest.failed] == [(cells[1], "no such file")]
    with hold(config):
        running = study_state(config)
        assert running.holder == "process 7 on there"
        assert [(job, log.message) for job, log in running.stage("adversarial_cells").running] == [
            (cells[2], "half of it")
        ]
    assert running_process(config.folder) == ""


def test_genomes_of_running_jobs_count(config) -> None:
    first, second, *_ = jobs_of(config, "evaluate")
    finish(first, at=0, seconds=10)
    begin(second, line(5, "0123456789ab epoch 2/2 loss 1.0"), at=1)
    with hold(config):
        assert study_state(config).stage("evaluate").done == 3


def test_time_left_is_that_of_the_open_jobs_at_the_pace_of_the_others(config) -> None:
    robustness = jobs_of(config, "robustness")
    others = [job for job in Layout(config).jobs() if job.rule not in ("robustness", "report_page")]
    for number, job in enumerate(others):
        # Two at once, ten seconds each, a second's pause after each pair.
        finish(job, at=11 * (number // 2), seconds=10)
    finish(robustness[0], at=1000, seconds=10)
    begin(robustness[1], line(1004, "working"), at=1000)
    with hold(config):
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


def test_later_stages_are_estimated_from_the_search_by_flops(config) -> None:
    for job in Layout(config).jobs():
        if job.rule in ("dataset", "target", "adversarial_cells", "evaluate"):
            finish(job, at=0, seconds=10)
    write_population(config, "roco", 2, [individual(0.1, 0.2, 900, rank=0), individual(0.3, 0.4, 950, rank=1)], seen=9)
    state = study_state(config)
    assert state.unmeasured == ()
    images = images_of(config)
    assert images is not None
    # Both widths are the same: the seconds are as the passes. A pair of genomes took ten.
    search, *later = (passes(work(config, images)) for work in (evaluation_work, retraining_work, robustness_work))
    # One of two slots holds a network; all jobs above ran at once.
    jobs = len([job for job in Layout(config).jobs() if job.done])
    expected = sum(later) / (2 * search / 10) * 4 * 0.5 / jobs
    assert state.seconds_left == pytest.approx(expected)
