"""What a run of a study will do before it is started: its stages, what is done already, and the time it would take."""

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

# Rules whose jobs train or attack; the others take seconds each.
HEAVY = ("target", "adversarial_cells", "evaluate", "retrain", "robustness")
LIGHT = "light steps"


@dataclass(frozen=True)
class Machine:
    """Where jobs run: on cores, or on GPUs with a job each; and the seconds until a process has imported torch."""

    name: str
    cores: int
    gpus: int
    start_seconds: float


@dataclass(frozen=True)
class Pending:
    """Snakemake's own account of a study.

    Attributes:
        open: output files that a run would make, by rule.
        start_seconds: CPU time that Snakemake took to find out, as it does again at the start of every job.
    """

    open: Mapping[str, frozenset[str]]
    start_seconds: float

    def has(self, job: Job) -> bool:
        """Whether a job is to be done."""
        return str(job.output) in self.open.get(job.rule, frozenset())


@dataclass(frozen=True)
class StagePlan:
    """A stage of a run.

    Attributes:
        title: its name.
        jobs: how many it has.
        open: how many of them are to be done.
        networks: how many networks they train; of a front the most that it may have.
        work: seconds of all jobs with all cores or GPUs at work.
        chain: seconds of the longest row of jobs of which each waits for the one before.
    """

    title: str
    jobs: int
    open: int
    networks: int
    work: float
    chain: float

    @property
    def seconds(self) -> float:
        """That it takes if nothing else runs."""
        return max(self.work, self.chain)


def pending_jobs(configfile: str) -> Pending:
    """Asks Snakemake what is done and what is not; nothing is run.

    Raises:
        ConfigError: Snakemake cannot be asked; with its reason.
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
            # The retraining of published networks is a rule of its own to Snakemake only.
            todo[row["rule"].removesuffix("_references")].add(row["output_file"])
    return Pending({rule: frozenset(files) for rule, files in todo.items()}, seconds)


def _beside_package() -> Path:
    return Path(__file__).parents[2] / "Snakefile"


def everything_pending(config: StudyConfig) -> Pending:
    """As if nothing were done, and Snakemake took no time."""
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
    """Where this process runs; a GPU counts where torch can use it."""
    import torch

    from roco.runtime import start_torch

    # What every job does at its start and its end.
    code = "from roco.runtime import leave, pause_collection; pause_collection(); import roco.training.loop; leave()"
    seconds, _ = cpu_seconds_of([sys.executable, "-c", code])
    if start_torch(config.device).type == "cuda":
        return Machine(torch.cuda.get_device_name(), cores, torch.cuda.device_count(), seconds)
    return Machine(f"CPU, {cores} cores", cores, 0, seconds)


@dataclass(frozen=True)
class Plan:
    """A study's jobs and what they take on a machine.

    Attributes:
        config: of the study.
        pending: what is to be done.
        machine: where.
        measured: seconds of the kinds of jobs in `kinds_to_measure`, as roco.study.slices gives them.
    """

    config: StudyConfig
    pending: Pending
    machine: Machine
    measured: Mapping[Kind, float]

    @cached_property
    def stages(self) -> list[StagePlan]:
        """In the order of the workflow; light steps together at the end."""
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
        """Of all stages: jobs of one stage run beside those of another, unless they wait for each other."""
        return max(sum(stage.work for stage in self.stages), sum(stage.chain for stage in self.stages))

    def _stage(self, rule: str, jobs: Sequence[Job]) -> StagePlan:
        """A stage of jobs that run beside each other, except that the generations of a search follow each other."""
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
        """How many processes share a job's networks on a CPU; they take a core each."""
        if job.rule not in ("evaluate", "retrain"):
            return 1
        section = self.config.evaluation if job.rule == "evaluate" else self.config.retraining
        return min(section.processes, job.networks, self.machine.cores)

    def _seconds(self, job: Job) -> float:
        """From a job's start to its end."""
        recorded = self.recorded.get(kind_of(job))
        # A front may have fewer networks than slots; the last population tells how many.
        share = self.front_share if job.rule in ("retrain", "robustness") and job.search != REFERENCES else 1.0
        if recorded is not None:
            # Of a job that retrains a front the seconds for each slot are known, filled or not.
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
        """The steps that only read and write: they import no torch, and take about as long as Snakemake to start."""
        open_files = self.pending.open.items()
        # Each of these jobs writes into a folder of its own.
        folders = {(rule, Path(file).parent) for rule, files in open_files if rule not in HEAVY for file in files}
        work = len(folders) * self.pending.start_seconds / self.machine.cores
        return StagePlan(LIGHT, len(folders), len(folders), 0, work, 0.0)


def kind_of(job: Job) -> Kind:
    """Jobs of a kind take about as long as each other."""
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
    """The slices of jobs that are to be done and of which no job of their kind has ended in this study."""
    known = recorded_seconds(config)
    todo = [job for job in Layout(config).jobs() if job.rule in HEAVY and pending.has(job)]
    kinds = [kind for job in todo if kind_of(job) not in known for kind in slices_of(job, config)]
    return list(dict.fromkeys(kinds))


def recorded_seconds(config: StudyConfig) -> dict[Kind, float]:
    """Seconds of jobs of this study that ended, by kind; of jobs that train many networks, for each.

    Jobs that took less than half as long as the longest do not count: they met an empty slot or the store.
    """
    seconds: dict[Kind, list[float]] = defaultdict(list)
    for job in Layout(config).jobs():
        if job.rule in HEAVY and job.done and (progress := read_progress(job.progress)) and progress.ended:
            seconds[kind_of(job)].append(progress.seconds / max(1, job.networks))
    whole = {kind: [each for each in found if each >= max(found) / 2] for kind, found in seconds.items()}
    return {kind: sum(found) / len(found) for kind, found in whole.items()}
