import re
from pathlib import Path

from roco.report.page.timing import STEPS, StepTime, step_times
from roco.study.files import JOB_NAMES

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def _job(folder: Path, name: str, seconds: float, memory: str, cpu: str) -> None:
    path = folder / f"{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:00\t{memory}\t1\t1\t1\t0\t0\t100\t{cpu}\n")


def test_jobs_are_summed_by_step_in_the_order_of_the_workflow(tmp_path: Path) -> None:
    generation = "search/roco/seed_0/generation_001"
    retrained = "retrained/roco/seed_0"
    _job(tmp_path, f"{retrained}/slot_000/training_0/robustness", 100.0, "812.4", "150.5")
    _job(tmp_path, f"{retrained}/slot_001/training_0/robustness", 80.0, "900.6", "120.0")
    _job(tmp_path, f"{retrained}/training", 30.0, "500", "55")
    _job(tmp_path, f"{generation}/shard_000", 12.0, "400", "20")
    # Too short for its memory and its processor to be seen.
    _job(tmp_path, f"{generation}/survivors", 1.0, "NA", "NA")
    _job(tmp_path, "something/new", 2.0, "10", "2")
    assert step_times(tmp_path) == [
        StepTime("Evaluation of networks", "1", "12 s", "20 s", "400 MB"),
        StepTime("Variation, survival and fronts", "1", "1 s", "0 s", "–"),
        StepTime("Retraining", "1", "30 s", "55 s", "500 MB"),
        StepTime("Robustness of retrained networks", "2", "3.0 min", "4.5 min", "900 MB"),
        StepTime("Other jobs", "1", "2 s", "2 s", "10 MB"),
    ]


def test_without_measurements_there_is_nothing(tmp_path: Path) -> None:
    assert step_times(tmp_path / "benchmarks") == []


def test_every_rule_belongs_to_a_step() -> None:
    for rule, pattern in JOB_NAMES.items():
        name = re.sub(r"\{\w+\}", "0", pattern.replace("{targets}", "targets").replace("{retrained}", "retrained"))
        assert any(re.match(step, name) for _, step in STEPS), rule
