"""The progress of a study, from its files alone, while it runs or later. Nothing is written."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from roco.config import StudyConfig
from roco.files import is_there
from roco.search.records import Population
from roco.study.job_progress import JobProgress, ProgressFiles
from roco.study.layout import Job, Layout
from roco.study.lock import running_process

STAGES = {
    "dataset": "data set",
    "target": "targets",
    "adversarial_cells": "adversarial sets",
    "evaluate": "search",
    "retrain": "retraining",
    "robustness": "white-box attacks",
    "report_page": "report",
}
# A longer pause between two jobs means that a new run began.
LONGEST_PAUSE = 120.0


@dataclass(frozen=True)
class StageState:
    """A stage of the workflow.

    Attributes:
        unit: what is counted: jobs, genomes, or networks.
        done: how many are done; genomes and networks of running jobs count too.
        total: how many there are; retrained networks are counted as slots of the fronts, some of which stay empty.
        running: running jobs with their progress.
        failed: jobs that ended with an error and have not been run again, with the error.
        job_seconds: the mean duration of a job; None if none has ended.
        jobs_left: jobs that have not ended.
    """

    title: str
    unit: str
    done: int
    total: int
    running: tuple[tuple[Job, JobProgress], ...]
    failed: tuple[tuple[Job, str], ...]
    job_seconds: float | None
    jobs_left: int


@dataclass(frozen=True)
class StudyState:
    """A study's progress.

    Attributes:
        name: of the experiment.
        folder: of its results.
        holder: the process that runs it, in words; empty if none does.
        stages: in the order of the workflow.
        seconds_left: estimated from jobs that ended; None if nothing is left or nothing is known.
        unmeasured: titles of stages without an ended job, which `seconds_left` leaves out.
    """

    name: str
    folder: str
    holder: str
    stages: tuple[StageState, ...]
    seconds_left: float | None
    unmeasured: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether all stages are done."""
        return all(stage.jobs_left == 0 for stage in self.stages)

    def stage(self, rule: str) -> StageState:
        """The stage of a rule."""
        return next(stage for stage in self.stages if stage.title == STAGES[rule])


def study_state(config: StudyConfig, *, files: ProgressFiles | None = None, now: datetime | None = None) -> StudyState:
    """The progress of the study of a configuration.

    Args:
        config: of the study.
        files: progress files that were read before, so that only changed files are read again.
        now: the time; the clock's if not given.

    Files count as done if they exist. `roco plan` says whether Snakemake would make them again after a change of
    settings.
    """
    holder, files = running_process(config.folder), files or ProgressFiles()
    progress = {job: files.read(job.progress) for job in Layout(config).jobs()}
    done = {job for job in progress if job.done}
    stages = tuple(
        _stage(rule, {job: each for job, each in progress.items() if job.rule == rule}, done=done, at_work=bool(holder))
        for rule in STAGES
    )
    ended = [each for each in progress.values() if each is not None and each.ended]
    left, unmeasured = _time_left(stages, ended=ended, now=now or datetime.now())
    return StudyState(config.experiment, config.folder, holder, stages, left, unmeasured)


def summary(study: StudyState) -> str:
    """A running study in one line: the present stage, its progress, the time left."""
    stage = next((stage for stage in study.stages if stage.jobs_left), study.stages[-1])
    generation = max((job.generation for job, _ in stage.running), default=None)
    parts = [f"{study.name}: {stage.title} {stage.done} of {stage.total}"]
    parts[0] += "" if stage.unit == "jobs" else f" {stage.unit}"
    if stage.unit == "genomes" and generation is not None:
        parts.append(f"generation {generation}")
    if study.seconds_left is not None:
        parts.append(f"about {duration(study.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in a unit that gives a small number."""
    for unit, length, limit in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 48)):
        if seconds < limit * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.1f} days"


def front_share(config: StudyConfig) -> float:
    """The share of slots that hold a network, from the last populations; 1 if there is none yet."""
    layout, shares = Layout(config), []
    for search, seed in layout.all_seeds():
        for generation in reversed(range(config.search.generations + 1)):
            path = layout.population(search, seed, generation)
            if is_there(path):
                individuals = Population.load(path).individuals
                front = sum(each.rank == 0 and each.status == "ok" for each in individuals)
                shares.append(min(front, config.slots) / config.slots)
                break
    return sum(shares) / len(shares) if shares else 1.0


def _stage(
    rule: str, progress: Mapping[Job, JobProgress | None], *, done: Collection[Job], at_work: bool
) -> StageState:
    begun = [(job, each) for job, each in progress.items() if job not in done and each is not None and not each.ended]
    finished = [job for job in progress if job in done]
    seconds = [each.seconds for job in finished if (each := progress[job]) is not None and each.ended]
    if networks := sum(job.networks for job in progress):
        count = sum(job.networks for job in finished) + sum(min(each.networks, job.networks) for job, each in begun)
    else:
        count = len(finished)
    return StageState(
        title=STAGES[rule],
        unit=("genomes" if rule == "evaluate" else "networks") if networks else "jobs",
        done=count,
        total=networks or len(progress),
        running=tuple((job, each) for job, each in begun if at_work and each.state == "running"),
        failed=tuple((job, each.error) for job, each in begun if each.state == "failed"),
        job_seconds=sum(seconds) / len(seconds) if seconds else None,
        jobs_left=len(progress) - len(finished),
    )


def _time_left(
    stages: Sequence[StageState], *, ended: Sequence[JobProgress], now: datetime
) -> tuple[float | None, tuple[str, ...]]:
    """Seconds that the open jobs take at the pace of the ended jobs, and the titles of stages without ended jobs."""
    work, jobs, unmeasured = 0.0, 0, []
    for rule, stage in zip(STAGES, stages, strict=True):
        seconds = stage.job_seconds
        if not stage.jobs_left or rule == "report_page":
            continue
        if seconds is None:
            unmeasured.append(stage.title)
            continue
        spent = sum(min((now - progress.begun).total_seconds(), seconds) for _, progress in stage.running)
        jobs += stage.jobs_left
        work += max(0.0, stage.jobs_left * seconds - spent)
    pace = _pace(ended)
    return (work / pace.at_once + jobs * pace.idle_seconds if work and pace else None), tuple(unmeasured)


@dataclass(frozen=True)
class _Pace:
    """How jobs followed each other.

    Attributes:
        at_once: the mean number of running jobs, over the time in which any ran.
        idle_seconds: the time without a running job, per job: the start of a job does not show in its progress.
    """

    at_once: float
    idle_seconds: float


def _pace(ended: Sequence[JobProgress]) -> _Pace | None:
    """The pace of jobs that ended; None if none took any time."""
    spans = sorted((job.begun.timestamp(), job.written.timestamp()) for job in ended)
    busy = covered = idle = 0.0
    end = spans[0][0] if spans else 0.0
    for begin, until in spans:
        busy += until - begin
        if 0 < begin - end <= LONGEST_PAUSE:
            idle += begin - end
        covered += max(0.0, until - max(begin, end))
        end = max(end, until)
    return _Pace(busy / covered, idle / len(spans)) if covered else None
