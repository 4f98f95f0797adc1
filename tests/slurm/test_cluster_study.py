"""The tiny study through a real SLURM, with faults on its way: Snakemake killed with jobs at work, a job cancelled."""

import os
import re
import signal
from collections import Counter
from collections.abc import Iterator

import pytest
from cluster import Cluster
from cluster_study import CONFIG, ClusterStudy, small_profile
from study import Study

from roco.study.slurm import NOTE

pytestmark = [pytest.mark.long, pytest.mark.workflow, pytest.mark.xdist_group("slurm")]


@pytest.fixture(scope="module")
def cluster_study(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStudy]:
    """The study, brought to its end through one fault after another."""
    study = ClusterStudy(tmp_path_factory.mktemp("cluster"), CONFIG, cluster=cluster, profile=small_profile())
    try:
        first_run = kill_with_jobs_queued_and_running(study)
        run = study.start()
        wait_for_the_earlier_run(study, first_run)
        study.cluster.ask("scancel", study.held("evaluate"))
        study.finish(run)
        yield study
    finally:
        study.end()


@pytest.fixture(scope="module")
def jobs(cluster_study: ClusterStudy) -> dict[str, dict[str, str]]:
    """What SLURM knows of each job, by its number."""
    return cluster_study.jobs()


def kill_with_jobs_queued_and_running(study: ClusterStudy) -> dict[str, str]:
    """Kills Snakemake at the attacks, one of which is held; the states of its jobs, by their numbers."""
    study.order("adversarial_cells", "hold")
    run = study.start()
    study.held("adversarial_cells")

    def states() -> dict[str, str]:
        found = dict(study.cluster.jobs("%i|%T"))
        both_gpus_at_work = len(study.notes("adversarial_cells")) > 1
        return found if both_gpus_at_work and "PENDING" in found.values() else {}

    found = study.cluster.wait_for(states)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    return found


def wait_for_the_earlier_run(study: ClusterStudy, states: dict[str, str]) -> None:
    """Lets the held job go on as soon as the new run says that it waits for it."""
    held = study.held("adversarial_cells")
    study.cluster.wait_for(lambda: re.search(rf"waited for .*: .*\b{held}\b", study.said()))
    left = study.cluster.jobs("%i|%T")
    assert [state for _, state in left if state == "PENDING"] == []
    assert {number for number, _ in left} <= states.keys()
    # Ordered before it can begin.
    study.order("evaluate", "hold")
    study.release("adversarial_cells")


def test_it_makes_the_bytes_of_a_local_run(cluster_study, local_study: Study):
    expected, found = local_study.artifacts(), cluster_study.artifacts()
    assert found.keys() == expected.keys()
    assert [name for name in expected if expected[name] != found[name]] == []


def test_light_steps_are_not_submitted_and_the_others_once(cluster_study, jobs):
    heavy = ("target", "adversarial_cells", "transfer", "evaluate", "retrain", "robustness")
    submitted = {fact["Comment"].split("_wildcards_")[0] for fact in jobs.values()}
    assert submitted == {f"rule_{name}" for name in heavy}
    last_run = (cluster_study.results / NOTE).read_text().strip()
    ended = [fact for fact in jobs.values() if fact["JobState"] == "COMPLETED"]
    rules = {run: Counter() for run in ("before", "last")}
    for fact in ended:
        rules["last" if fact["JobName"] == last_run else "before"][fact["Comment"].split("_wildcards_")[0]] += 1
    # What the killed Snakemake had running was not recorded by it: submitted again, to find the work done.
    assert rules["before"] == {"rule_target": 1, "rule_adversarial_cells": 2}
    assert rules["last"] == {
        "rule_adversarial_cells": 4,
        "rule_transfer": 1,
        "rule_evaluate": 3,
        "rule_retrain": 2,
        "rule_robustness": 2,
    }


def test_each_job_asks_for_a_gpu(cluster_study, jobs):
    requests = {fact.get("TresPerJob") for fact in jobs.values()}
    assert requests == {"gres:gpu:1"}


def test_jobs_at_the_same_time_have_a_gpu_each(cluster_study):
    # The first two attacks: one was held, until after the other had begun.
    first, second = cluster_study.notes("adversarial_cells")[:2]
    assert cluster_study.held("adversarial_cells") in (first["SLURM_JOB_ID"], second["SLURM_JOB_ID"])
    assert {first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]} == {"0", "1"}
    assert {note["CUDA_VISIBLE_DEVICES"] for note in cluster_study.notes()} == {"0", "1"}


def test_what_was_finished_for_a_killed_run_is_not_computed_again(cluster_study):
    held = cluster_study.held("adversarial_cells")
    again = [note["SLURM_JOB_ID"] for note in cluster_study.notes("adversarial_cells")]
    assert again.count(held) == 1
    logs = (cluster_study.results / "logs" / "adversarial").rglob("l*.log")
    assert any(log.read_text().count("attacked before") == len(CONFIG["adversarial"]["thresholds"]) for log in logs)


def test_a_cancelled_job_is_submitted_again_with_more_memory(cluster_study, jobs):
    cancelled = jobs[cluster_study.held("evaluate")]
    again = [fact for fact in jobs.values() if fact["Comment"] == cancelled["Comment"] and fact != cancelled]
    assert cancelled["JobState"] == "CANCELLED"
    assert [fact["MinMemoryNode"] for fact in (cancelled, *again)] == ["1500M", "3000M"]
    assert [fact["TimeLimit"] for fact in (cancelled, *again)] == ["00:15:00", "00:30:00"]
