"""How far a study is, from its files alone: beside a running one or after it. Nothing is written or computed anew."""

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
# Between two jobs of one run there are seconds, between two runs there is more.
LONGEST_PAUSE = 120.0


@dataclass(frozen=True)
class StageState:
    """A stage of the workflow.

    Attributes:
        title: its name.
        unit: what is counted: jobs, genomes, or networks.
        done: how many are done; of genomes and networks also those of jobs that still run.
        total: how many there are; retrained networks are counted as slots of the fronts, some of which stay empty.
        running: jobs at work, with their progress.
        failed: jobs that ended with an error and have not been run again, with the error.
        job_seconds: how long a job took on average; None where none was seen to end.
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
        holder: the process that is running it, in words; empty if none is.
        stages: in the order of the workflow.
        seconds_left: estimated from jobs that ended; None if nothing is left or nothing is known yet.
        unmeasured: titles of stages that are not in `seconds_left`, as none of their jobs has ended yet.
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
    """How far the study of a configuration is.

    Args:
        config: of the study.
        files: what is known of its jobs' progress; given again and again, only files that have changed are read.
        now: the time; the clock's, if not given.

    Files count as done when they are there; whether Snakemake would make them again, because a setting has changed
    since, `roco plan` tells.
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
    """A running study in one line: the stage that is worked on, how far it is, the time left."""
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
    """The share of slots that hold a network: from the fronts where they are, from the last populations before.

    1 as long as there is no population.
    """
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
    """Seconds that the open jobs take at the pace of those that ended, and the stages that nothing is known of."""
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
        at_once: how many ran at once, on average over the time in which any ran.
        idle_seconds: the time in which none ran, a job; starting one takes time that its progress does not show.
    """

    at_once: float
    idle_seconds: float


def _pace(ended: Sequence[JobProgress]) -> _Pace | None:
    """The pace of jobs that ended; None if there are none that took a second."""
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
