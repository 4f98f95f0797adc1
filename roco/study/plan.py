"""What a run of a study will do: its stages, what is done already, and an estimate of the time."""

import csv
import io
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from roco.config import StudyConfig
from roco.errors import ConfigError
from roco.study.files import ADVERSARIAL, REFERENCES, STANDARD
from roco.study.job_progress import read_progress
from roco.study.layout import Job, Layout
from roco.study.progress import STAGES, front_share
from roco.study.shortened import attack_parts
from roco.study.slices import Kind

# Rules whose jobs train or attack; jobs of other rules take seconds.
HEAVY = ("target", "adversarial_cells", "evaluate", "retrain", "robustness")
LIGHT = "light steps"


@dataclass(frozen=True)
class Machine:
    """The machine: jobs run on cores, or on GPUs, one job each. `start_seconds`: until a process has imported torch."""

    name: str
    cores: int
    gpus: int
    start_seconds: float


@dataclass(frozen=True)
class Pending:
    """Snakemake's own account of a study.

    Attributes:
        open: output files that a run would make, by rule.
        start_seconds: CPU time of Snakemake's start, which every job repeats.
    """

    open: Mapping[str, frozenset[str]]
    start_seconds: float

    def has(self, job: Job) -> bool:
        """Whether a run would do the job."""
        return str(job.output) in self.open.get(job.rule, frozenset())


@dataclass(frozen=True)
class StagePlan:
    """A stage of a run.

    Attributes:
        jobs: the number of its jobs.
        open: the number of jobs that a run would do.
        networks: how many networks these train at most.
        work: seconds of all jobs with all cores or GPUs at work.
        chain: seconds of the longest chain of jobs that wait for each other.
    """

    title: str
    jobs: int
    open: int
    networks: int
    work: float
    chain: float

    @property
    def seconds(self) -> float:
        """The duration if nothing else runs."""
        return max(self.work, self.chain)


def pending_jobs(configfile: str) -> Pending:
    """Asks Snakemake what is left to do; nothing is run.

    Raises:
        ConfigError: Snakemake fails; with its reason.
    """
    snakefile = next((path for path in (Path("Snakefile"), _beside_package()) if path.exists()), None)
    if snakefile is None:
        raise ConfigError(
            "Snakefile: expected one in this folder, found none; call roco plan in the repository's folder"
        )
    options = ["--snakefile", str(snakefile), "--configfile", configfile, "--summary"]
    seconds, ended = cpu_seconds_of([sys.executable, "-m", "snakemake", *options])
    rows = list(csv.DictReader(io.StringIO(ended.stdout), delimiter="\t"))
    if ended.returncode or not rows:
        reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"{snakefile}: Snakemake cannot say what it would do ({reason.removeprefix('roco: ')})")
    todo: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["plan"] == "update pending":
            # For Snakemake alone, the retraining of published networks is a separate rule.
            todo[row["rule"].removesuffix("_references")].add(row["output_file"])
    return Pending({rule: frozenset(files) for rule, files in todo.items()}, seconds)


def _beside_package() -> Path:
    return Path(__file__).parents[2] / "Snakefile"


def everything_pending(config: StudyConfig) -> Pending:
    """All jobs of a study, with a Snakemake that takes no time."""
    files: dict[str, set[str]] = defaultdict(set)
    for job in Layout(config).jobs():
        files[job.rule].add(str(job.output))
    return Pending({rule: frozenset(each) for rule, each in files.items()}, 0.0)


def cpu_seconds_of(command: list[str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Runs a command; returns the CPU time that it took, and its result."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended


def this_machine(config: StudyConfig, *, cores: int) -> Machine:
    """The machine of this process; a GPU counts if torch can use it."""
    import torch

    from roco.runtime import start_torch

    # The start and the end of every job.
    code = "from roco.runtime import leave, pause_collection; pause_collection(); import roco.training.loop; leave()"
    seconds, _ = cpu_seconds_of([sys.executable, "-c", code])
    if start_torch(config.device).type == "cuda":
        return Machine(torch.cuda.get_device_name(), cores, torch.cuda.device_count(), seconds)
    return Machine(f"CPU, {cores} cores", cores, 0, seconds)


@dataclass(frozen=True)
class Plan:
    """A study's jobs and their durations on a machine.

    Attributes:
        config: of the study.
        pending: what is left to do.
        machine: where it runs.
        measured: seconds of the kinds of jobs in `kinds_to_measure`, from roco.study.slices.
    """

    config: StudyConfig
    pending: Pending
    machine: Machine
    measured: Mapping[Kind, float]

    @cached_property
    def stages(self) -> list[StagePlan]:
        """The stages in the order of the workflow; light steps together at the end."""
        jobs = list(Layout(self.config).jobs())
        heavy = [self._stage(rule, [job for job in jobs if job.rule == rule]) for rule in STAGES if rule in HEAVY]
        return [*heavy, self._light()]

    @cached_property
    def recorded(self) -> dict[Kind, float]:
        """See `recorded_seconds`."""
        return recorded_seconds(self.config)

    @cached_property
    def front_share(self) -> float:
        """See `roco.study.progress.front_share`."""
        return front_share(self.config)

    @property
    def seconds(self) -> float:
        """The duration of the run: stages overlap unless they wait for each other."""
        return max(sum(stage.work for stage in self.stages), sum(stage.chain for stage in self.stages))

    def _stage(self, rule: str, jobs: Sequence[Job]) -> StagePlan:
        """A stage of jobs that run side by side, except that the generations of a search follow each other."""
        todo = [job for job in jobs if self.pending.has(job)]
        seconds = [self._seconds(job) for job in todo]
        at_once = self.machine.gpus or max(1, self.machine.cores // max(map(self._processes, todo), default=1))
        longest: dict[tuple[str, object], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for job, each in zip(todo, seconds, strict=True):
            of_search = longest[job.search, job.wildcards["seed"] if rule == "evaluate" else None]
            of_search[job.generation] = max(each, of_search[job.generation])
        chain = max((sum(of_search.values()) for of_search in longest.values()), default=0.0)
        networks = sum(1 if rule == "target" else job.networks for job in todo)
        return StagePlan(STAGES[rule], len(jobs), len(todo), networks, sum(seconds) / at_once, chain)

    def _processes(self, job: Job) -> int:
        """The number of processes that share a job's networks on a CPU; each takes a core."""
        if job.rule not in ("evaluate", "retrain"):
            return 1
        section = self.config.evaluation if job.rule == "evaluate" else self.config.retraining
        return min(section.processes, job.networks, self.machine.cores)

    def _seconds(self, job: Job) -> float:
        """The duration of a job."""
        recorded = self.recorded.get(kind_of(job))
        # A front may have fewer networks than slots; the last population says how many.
        share = self.front_share if job.rule in ("retrain", "robustness") and job.search != REFERENCES else 1.0
        if recorded is not None:
            # For retraining, the recorded seconds per slot include empty slots.
            share = share if job.rule == "robustness" else 1.0
            return share * max(1, job.networks) * recorded + self.pending.start_seconds
        seconds = sum(self.measured[kind] for kind in slices_of(job, self.config))
        start, processes = self.machine.start_seconds, 1 if self.machine.gpus else self._processes(job)
        if job.rule == "evaluate":
            seconds *= job.networks / processes
        elif job.rule == "retrain":
            seconds += 0.0 if self.machine.gpus else start
            seconds *= job.networks / processes
        return share * seconds + start + self.pending.start_seconds

    def _light(self) -> StagePlan:
        """The steps that only read and write: without torch, they take about as long as Snakemake's start."""
        open_files = self.pending.open.items()
        # Each of these jobs writes to its own folder.
        folders = {(rule, Path(file).parent) for rule, files in open_files if rule not in HEAVY for file in files}
        work = len(folders) * self.pending.start_seconds / self.machine.cores
        return StagePlan(LIGHT, len(folders), len(folders), 0, work, 0.0)


def kind_of(job: Job) -> Kind:
    """The kind of a job: jobs of one kind take about the same time."""
    of_kind = [str(job.wildcards[name]) for name in ("norm", "target", "retrained") if name in job.wildcards]
    return (job.rule, *(name for name in of_kind if name != STANDARD))


def slices_of(job: Job, config: StudyConfig) -> list[Kind]:
    """The kinds of slices that a job consists of."""
    if job.rule == "robustness":
        return [(job.rule, part) for part in attack_parts(config.robustness)]
    if job.rule == "retrain":
        adversarial = config.retraining.adversarial if job.wildcards["retrained"] == ADVERSARIAL else None
        return [(job.rule,)] * (adversarial.passes if adversarial else 1)
    return [kind_of(job)]


def kinds_to_measure(config: StudyConfig, pending: Pending) -> list[Kind]:
    """The slices of jobs that are left to do, without kinds of which a job of this study has ended."""
    known = recorded_seconds(config)
    todo = [job for job in Layout(config).jobs() if job.rule in HEAVY and pending.has(job)]
    kinds = [kind for job in todo if kind_of(job) not in known for kind in slices_of(job, config)]
    return list(dict.fromkeys(kinds))


def recorded_seconds(config: StudyConfig) -> dict[Kind, float]:
    """Mean seconds of the ended jobs of this study, by kind; for jobs that train many networks, seconds per network.

    Jobs that took less than half as long as the longest do not count: they had an empty slot or used the store.
    """
    seconds: dict[Kind, list[float]] = defaultdict(list)
    for job in Layout(config).jobs():
        if job.rule in HEAVY and job.done and (progress := read_progress(job.progress)) and progress.ended:
            seconds[kind_of(job)].append(progress.seconds / max(1, job.networks))
    whole = {kind: [each for each in times if each >= max(times) / 2] for kind, times in seconds.items()}
    return {kind: sum(times) / len(times) for kind, times in whole.items()}
