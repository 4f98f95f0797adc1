"""What a run of a study will do before it is started: its stages, what is done already, and the time it would take."""

import csv
import io
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from roco.config import StudyConfig
from roco.errors import ConfigError
from roco.files import is_there
from roco.retraining.records import EndedTraining, read_training
from roco.search.records import read_evaluations
from roco.storage.artifacts import check_provenance, digest, read_json, schema, write_json
from roco.study.calibration import Calibration, Speed, cpu_seconds_of
from roco.study.files import REFERENCES, File
from roco.study.layout import Job, Layout
from roco.study.progress import STAGES, front_share
from roco.study.workload import (
    Images,
    Work,
    attack_work,
    evaluation_work,
    retraining_work,
    robustness_work,
    target_work,
)

# Rules whose jobs train or attack; the others take seconds each.
HEAVY = ("target", "adversarial_cells", "evaluate", "retrain", "robustness")
LIGHT = "light steps"


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
        flops: that they compute.
        seconds: that they take on the calibrated machine.
    """

    title: str
    jobs: int
    open: int
    networks: int
    flops: float
    seconds: float


def pending_jobs(configfile: str, *, anew: bool = False) -> Pending:
    """Asks Snakemake what is done and what is not; nothing is run.

    Args:
        configfile: the study's configuration.
        anew: whether to count as if nothing were done.

    Raises:
        ConfigError: Snakemake cannot be asked; with its reason.
    """
    snakefile = next((path for path in (Path("Snakefile"), _beside_package()) if path.exists()), None)
    if snakefile is None:
        raise ConfigError(
            "Snakefile: expected one in this folder, found none; call roco plan in the repository's folder"
        )
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(snakefile),
        "--configfile",
        configfile,
        "--summary",
        *(["--forceall"] if anew else []),
    ]
    seconds, ended = cpu_seconds_of(command)
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


def plan_study(config: StudyConfig, images: Images, *, pending: Pending, calibration: Calibration) -> list[StagePlan]:
    """The stages of a run with what each costs, in the order of the workflow; light steps together at the end."""
    recorded = recorded_seconds(config)
    share = front_share(config)
    plans = []
    for rule, title in STAGES.items():
        if rule not in HEAVY:
            continue
        jobs = [job for job in Layout(config).jobs() if job.rule == rule]
        todo = [job for job in jobs if pending.has(job)]
        works = [_work(config, job, images) for job in todo]
        # A front may have fewer networks than slots; the last population tells how many.
        weights = [share if rule in ("retrain", "robustness") and job.search != REFERENCES else 1.0 for job in todo]
        measured = recorded.get(rule)
        seconds = [
            weight * (max(1, job.networks) * measured if measured else calibration.speeds[work.network].seconds(work))
            + _start(job, calibration, pending)
            for job, work, weight in zip(todo, works, weights, strict=True)
        ]
        plans.append(
            StagePlan(
                title=title,
                jobs=len(jobs),
                open=len(todo),
                networks=sum(_networks(job) for job in todo),
                flops=sum(
                    weight * work.flops(calibration.flops[work.network])
                    for work, weight in zip(works, weights, strict=True)
                ),
                seconds=_elapsed(config, rule, todo, seconds, calibration=calibration),
            )
        )
    return [*plans, _light(pending, calibration)]


def networks_to_measure(config: StudyConfig, images: Images, *, pending: Pending) -> set[str]:
    """The networks whose speed a plan needs: those of jobs that are to be done."""
    todo = [job for job in Layout(config).jobs() if job.rule in HEAVY and pending.has(job)]
    return {_work(config, job, images).network for job in todo}


def recorded_seconds(config: StudyConfig) -> dict[str, float]:
    """Seconds that a genome's evaluation, and a network's retraining, took in this study so far, by rule."""
    layout, recorded = Layout(config), dict[str, list[float]](evaluate=[], retrain=[])
    for path in layout.all_shards():
        if is_there(path):
            recorded["evaluate"] += [each.seconds for each in read_evaluations(path) if each.status == "ok"]
    for path in layout.all_of_retrainings(File.RETRAINING):
        if is_there(path) and isinstance(training := read_training(path), EndedTraining):
            recorded["retrain"].append(training.seconds)
    # What came from the store took no time, and says nothing of this machine.
    computed = {rule: [each for each in seconds if each > 1.0] for rule, seconds in recorded.items()}
    return {rule: sum(seconds) / len(seconds) for rule, seconds in computed.items() if seconds}


def _work(config: StudyConfig, job: Job, images: Images) -> Work:
    if job.rule == "target":
        return target_work(config, str(job.wildcards["target"]), images)
    if job.rule == "adversarial_cells":
        return attack_work(config, str(job.wildcards["target"]), str(job.wildcards["norm"]), images)
    if job.rule == "evaluate":
        return evaluation_work(config, images).times(job.networks)
    if job.rule == "retrain":
        return retraining_work(config, images).times(job.networks)
    return robustness_work(config, images)


def _networks(job: Job) -> int:
    return 1 if job.rule == "target" else job.networks


def _start(job: Job, calibration: Calibration, pending: Pending) -> float:
    """CPU time before a job's own work: Snakemake, its script, and the processes that train its networks."""
    processes = {"evaluate": 2, "retrain": job.networks}.get(job.rule, 1)
    return pending.start_seconds + processes * calibration.start_seconds


def _elapsed(
    config: StudyConfig, rule: str, jobs: Sequence[Job], seconds: Sequence[float], *, calibration: Calibration
) -> float:
    """How long jobs take that run beside each other, except that the generations of a search follow each other."""
    at_once = 1 if calibration.uses_gpu else calibration.cores
    if rule in ("evaluate", "retrain") and not calibration.uses_gpu:
        # Processes share a job's networks, and take a core each.
        largest = max((job.networks for job in jobs), default=1)
        section = config.evaluation if rule == "evaluate" else config.retraining
        processes = min(section.processes, largest, calibration.cores)
        seconds, at_once = [each / processes for each in seconds], max(1, at_once // processes)
    chains: dict[tuple[str, object], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for job, each in zip(jobs, seconds, strict=True):
        seed = job.wildcards["seed"] if rule == "evaluate" else None
        chains[job.search, seed][job.generation].append(each)
    longest = 0.0
    for generations in chains.values():
        # The jobs of one generation, or of a stage without any, run beside each other.
        length = sum(max(max(part), sum(part) / at_once) for part in generations.values())
        longest = max(longest, length)
    return max(longest, sum(seconds) / at_once)


def _light(pending: Pending, calibration: Calibration) -> StagePlan:
    """The steps that only read and write: they import no torch, and take about as long as Snakemake takes to start."""
    # Each of these jobs writes into a folder of its own.
    folders = {(rule, Path(file).parent) for rule, files in pending.open.items() if rule not in HEAVY for file in files}
    seconds = len(folders) * pending.start_seconds / calibration.cores
    return StagePlan(LIGHT, len(folders), len(folders), 0, 0.0, seconds)


def save_calibration(path: str | Path, calibration: Calibration, config: StudyConfig) -> None:
    """Keeps a machine's speed, with the networks that it was measured on."""
    write_json(path, "calibration", {"networks": _networks_of(config), **asdict(calibration)})


def load_calibration(path: str | Path, config: StudyConfig) -> Calibration:
    """The speed of the machine that a file was made on.

    Raises:
        ArtifactError: the file is missing, damaged, or was measured on other networks than this study's.
    """
    content = read_json(path, "calibration")
    with schema(path, "calibration"):
        check_provenance(path, content, {"networks": _networks_of(config)})
        del content["networks"]
        speeds = {name: Speed(**speed) for name, speed in content.pop("speeds").items()}
        return Calibration(speeds=speeds, **content)


def _networks_of(config: StudyConfig) -> str:
    """A digest of all settings that the speed of a pass depends on."""
    parts = config.model_dump(mode="json")
    widths = [parts[name]["channels"] for name in ("evaluation", "retraining")] + [parts["retraining"]["node"]]
    recipes = [parts[name]["training"] for name in ("targets", "evaluation", "retraining")]
    return digest([parts["targets"], parts["space"], parts["dataset"]["image_size"], widths, recipes], length=16)
