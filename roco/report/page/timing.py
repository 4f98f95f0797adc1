"""Time and memory of a study's jobs, step by step, from Snakemake's `benchmark` files; energy from their progress."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from roco.report.numbers.format import NO_VALUE, whole
from roco.report.page.totals import duration
from roco.runtime import progress_file
from roco.study.job_progress import read_progress

# The step of a job, by the path of its file below benchmarks/; the first match counts.
STEPS = (
    ("Data set", r"dataset"),
    ("Training of the targets", r"(test_)?targets/"),
    ("Adversarial sets", r"adversarial/"),
    ("Evaluation of networks", r"search/.*/shard_\d+$"),
    ("Variation, survival and fronts", r"search/"),
    ("Retraining", r"retrained/.*/training$"),
    ("Robustness of retrained networks", r"retrained/"),
    ("Adversarial retraining", r"retrained_adversarially/.*/training$"),
    ("Robustness after adversarial retraining", r"retrained_adversarially/"),
    ("Tables, figures and page", r"tables|figures|report_page"),
)


@dataclass(frozen=True)
class StepTime:
    """The jobs of a step, as text.

    Attributes:
        step: its title.
        jobs: their number.
        time: the sum over all jobs.
        cpu_time: of all their processes.
        memory: the largest of all jobs.
        energy: of the jobs' GPUs while they ran; empty if unknown.
    """

    step: str
    jobs: str
    time: str
    cpu_time: str
    memory: str
    energy: str = ""


def step_times(folder: str | Path) -> list[StepTime]:
    """The steps of a study for which there are files; empty if the folder is missing.

    Args:
        folder: with a table for each job, with the columns `s`, `cpu_time` (seconds) and `max_rss` (MB). The progress
            files are in `logs` beside it, under the same names.
    """
    by_step: dict[str, list[pd.DataFrame]] = {}
    joules: dict[str, float] = {}
    for path in sorted(Path(folder).rglob("*.tsv")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        step = next((step for step, pattern in STEPS if re.match(pattern, name)), "Other jobs")
        by_step.setdefault(step, []).append(pd.read_csv(path, sep="\t"))
        progress = read_progress(progress_file(Path(folder).parent / "logs" / f"{name}.log"))
        if progress is not None and progress.joules is not None:
            joules[step] = joules.get(step, 0.0) + progress.joules
    order = [*(step for step, _ in STEPS), "Other jobs"]
    return [_step_time(step, by_step[step], joules.get(step)) for step in order if step in by_step]


def _step_time(step: str, jobs: list[pd.DataFrame], joules: float | None) -> StepTime:
    # Snakemake does not see the memory of very short jobs.
    numbers = pd.concat(jobs).reindex(columns=["s", "cpu_time", "max_rss"]).apply(pd.to_numeric, errors="coerce")
    memory = numbers["max_rss"].max()
    return StepTime(
        step,
        whole(len(jobs)),
        duration(float(numbers["s"].sum())),
        duration(float(numbers["cpu_time"].sum())),
        NO_VALUE if pd.isna(memory) else f"{whole(memory)} MB",
        "" if joules is None else f"{whole(joules / 3600)} Wh",
    )
