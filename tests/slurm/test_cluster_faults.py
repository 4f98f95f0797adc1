"""One job of the tiny study through a real SLURM, and what can happen to it; a minute or two each: `pytest -m long`."""

import contextlib
import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, CommandFailed
from cluster_study import CONFIG, ClusterStudy, small_profile
from study import Study

pytestmark = [pytest.mark.long, pytest.mark.workflow, pytest.mark.xdist_group("slurm")]

NETWORK = "targets/lenet/network.safetensors"
WANTED = f"results/tiny/{NETWORK}"


@pytest.fixture
def study(cluster: Cluster, local_study: Study, tmp_path: Path) -> Iterator[ClusterStudy]:
    """A study that has its data set, so that the only job of the tests here is the training of a target."""
    study = ClusterStudy(tmp_path / "study", CONFIG, cluster=cluster, profile=small_profile())
    study.results.mkdir(parents=True)
    shutil.copy2(local_study.results / "dataset.h5", study.results)
    shutil.copytree(local_study.folder / ".snakemake", study.folder / ".snakemake")
    yield study
    study.end()


def check_jobs(study: ClusterStudy, local_study: Study, *expected: dict[str, str]) -> None:
    """The network is that of a local run, and SLURM has exactly these jobs of the study's last run."""
    assert (study.results / NETWORK).read_bytes() == (local_study.results / NETWORK).read_bytes()
    run = (study.results / ".slurm_run").read_text().strip()
    found = [fact for fact in study.jobs().values() if fact["JobName"] == run]
    assert [{key: fact[key] for key in facts} for fact, facts in zip(found, expected, strict=True)] == list(expected)


def test_a_job_over_its_time_gets_more(study, local_study, tmp_path):
    profile = study.folder / "profile" / "profile.yaml"
    profile.write_text(profile.read_text().replace("runtime: 15 * attempt", "runtime: 1 + 9 * (attempt - 1)"))
    study.order("target", "hold")
    study.finish(study.start(WANTED))
    check_jobs(
        study,
        local_study,
        {"JobState": "TIMEOUT", "TimeLimit": "00:01:00"},
        {"JobState": "COMPLETED", "TimeLimit": "00:10:00"},
    )


def test_a_job_over_its_memory_gets_more(study, local_study):
    study.order("target", "memory")
    study.finish(study.start(WANTED))
    check_jobs(
        study,
        local_study,
        # SLURM kills the step, and the job ends by that.
        {"JobState": "FAILED", "MinMemoryNode": "1500M"},
        {"JobState": "COMPLETED", "MinMemoryNode": "3000M"},
    )
    number = study.notes()[0]["SLURM_JOB_ID"]
    assert f"StepId={number}.0 exceeded memory limit" in (study.cluster.folder / "slurmd.log").read_text()


def test_a_job_whose_node_goes_down_starts_again_when_it_is_back(study, local_study):
    study.order("target", "hold")
    run = study.start(WANTED)
    held = study.held("target")
    study.cluster.ask("scontrol", "update", f"NodeName={study.cluster.host}", "State=DOWN", "Reason=test")
    study.cluster.wait_for(lambda: [held, "RUNNING"] not in study.cluster.jobs("%i|%T"))
    # It may have come back by itself: see ReturnToService.
    with contextlib.suppress(CommandFailed):
        study.cluster.ask("scontrol", "update", f"NodeName={study.cluster.host}", "State=RESUME")
    study.finish(run)
    assert [note["SLURM_JOB_ID"] for note in study.notes()] == [held, held]
    check_jobs(study, local_study, {"JobState": "COMPLETED", "Restarts": "1"})


def test_a_preempted_job_starts_again(study, local_study):
    study.order("target", "hold")
    run = study.start(WANTED)
    held = study.held("target")
    urgent = study.cluster.ask(
        "sbatch", "--parsable", "-p", "urgent", "-c", "2", "-o", "/dev/null", "--wrap", "sleep 1"
    )
    study.cluster.wait_for(lambda: [urgent.strip(), "COMPLETED"] in study.cluster.jobs("%i|%T", "--states=all"))
    study.finish(run)
    assert [note["SLURM_JOB_ID"] for note in study.notes()] == [held, held]
    check_jobs(study, local_study, {"JobState": "COMPLETED", "Restarts": "1"})


def test_a_job_outlives_the_daemons(study, local_study):
    study.order("target", "hold")
    run = study.start(WANTED)
    study.held("target")
    # The controller writes a change down within five seconds; one that has forgotten a job starts it a second time.
    time.sleep(7)
    for daemon in ("slurmd", "slurmctld"):
        study.cluster.end(daemon, signal.SIGKILL)
    for daemon in ("slurmctld", "slurmd"):
        study.cluster.start_again(daemon)
    study.release("target")
    study.finish(run)
    check_jobs(study, local_study, {"JobState": "COMPLETED", "Restarts": "0"})


def test_an_interrupt_cancels_the_jobs_and_the_same_command_goes_on(study, local_study):
    study.order("target", "hold")
    run = study.start(WANTED)
    study.held("target")
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=120) != 0
    study.cluster.wait_for(lambda: study.cluster.jobs("%i") == [])
    study.finish(study.start(WANTED))
    check_jobs(study, local_study, {"JobState": "COMPLETED"})


def test_a_termination_lets_the_jobs_end(study, local_study):
    study.order("target", "hold")
    run = study.start(WANTED)
    study.held("target")
    run.send_signal(signal.SIGTERM)
    study.cluster.wait_for(lambda: "Will exit after finishing currently running jobs" in study.said())
    study.release("target")
    run.wait(timeout=300)
    check_jobs(study, local_study, {"JobState": "COMPLETED"})


def test_snakemake_itself_may_be_a_job(study, local_study):
    command = f"cd {study.folder} && {shlex.join(study.command(WANTED))} > {study.log} 2>&1"
    number = study.cluster.ask("sbatch", "--parsable", "--mem=1000", "-o", "/dev/null", "--wrap", command).strip()
    ended = study.cluster.wait_for(
        lambda: [row for row in study.cluster.jobs("%i|%T", "--states=all") if row[0] == number and row[1] in ENDED],
        seconds=600,
    )
    assert ended == [[number, "COMPLETED"]], study.said()[-5000:]
    check_jobs(study, local_study, {"JobState": "COMPLETED", "TresPerJob": "gres:gpu:1"})


ENDED = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "OUT_OF_MEMORY")
