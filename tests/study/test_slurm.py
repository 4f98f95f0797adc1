import logging
from pathlib import Path

import pytest

from roco.errors import ClusterError
from roco.study.slurm import note_run, settle_earlier_run


def command(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which commands are found, besides the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_where_there_was_no_run_slurm_is_not_asked(tmp_path: Path, path: Path) -> None:
    command(path, "squeue", "exit 1")
    settle_earlier_run(tmp_path)


def test_a_run_is_noted_in_place_of_the_one_before(tmp_path: Path) -> None:
    note_run(tmp_path, "first")
    note_run(tmp_path, "second")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(".slurm_run", "second\n")]


def test_without_slurm_it_says_so_and_goes_on(tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    note_run(tmp_path, "name")
    with caplog.at_level(logging.WARNING, "roco"):
        settle_earlier_run(tmp_path)
    assert "see to it that its jobs have ended" in caplog.text


def test_a_slurm_that_does_not_answer_ends_it_with_one_line(tmp_path: Path, path: Path) -> None:
    note_run(tmp_path, "name")
    command(path, "squeue", "echo 'slurm_load_jobs error:\n no controller' >&2; exit 1")
    with pytest.raises(ClusterError) as raised:
        settle_earlier_run(tmp_path)
    assert str(raised.value) == (
        "squeue fails, and jobs of the run before may still be at work: slurm_load_jobs error: no controller"
    )


def test_queued_jobs_are_cancelled_and_running_ones_waited_for(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    note_run(tmp_path, "name")
    # Each look finds the next lot of jobs, the last one nothing.
    for number, jobs in enumerate(("7|PENDING\n8|RUNNING", "8|COMPLETING")):
        command(path, f"look{number}", f"echo '{jobs}'")
    command(
        path,
        "squeue",
        f"""[ "$3" = --name=name ] || exit 1
n=0; [ -e {path}/looks ] && while read line; do n=$((n+1)); done < {path}/looks
echo >> {path}/looks; [ ! -e {path}/look$n ] || {path}/look$n""",
    )
    command(path, "scancel", f'echo "$@" >> {path}/cancelled')
    with caplog.at_level(logging.WARNING, "roco"):
        settle_earlier_run(tmp_path, seconds_between_looks=0.0)
    assert (path / "cancelled").read_text() == "--state=PENDING 7\n"
    assert [record.getMessage() for record in caplog.records] == [
        "jobs of the run before, cancelled in the queue: 7",
        "jobs of the run before, waited for (scancel them not to): 8",
    ]
