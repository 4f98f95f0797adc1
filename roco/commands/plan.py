"""`roco plan`: what a run will do before it is started, and how long it would take here."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from roco.commands._arguments import add_configfile, positive

if TYPE_CHECKING:
    from roco.commands import Commands
    from roco.config import StudyConfig
    from roco.study.calibration import Calibration
    from roco.study.plan import StagePlan

# From here on a plan says that the budget may be too large for the machine, and how soon these would end.
LONG_SECONDS = 2 * 86400.0
SMALLER = ("config.yaml", "configs/cifar10_small.yaml", "configs/cifar10_seeds.yaml")


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    plan = commands.add_parser("plan", help="what a run will do and how long it would take, before it is started")
    add_configfile(plan)
    plan.add_argument("--cores", type=positive, help="cores for jobs on a CPU (default: what --cores all means here)")
    plan.add_argument("--save-calibration", metavar="FILE", help="keep this machine's measured speed in a file")
    plan.add_argument(
        "--calibration", metavar="FILE", help="plan for the machine that this file of --save-calibration was made on"
    )
    plan.add_argument("--json", action="store_true", help="print JSON")
    plan.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> None:
    from rich.console import Console
    from snakemake.utils import available_cpu_count

    from roco.config import load_config
    from roco.errors import DatasetError
    from roco.study.calibration import calibrate
    from roco.study.plan import load_calibration, networks_to_measure, pending_jobs, plan_study, save_calibration
    from roco.study.workload import images_of

    config = load_config(options.configfile)
    images = images_of(config)
    if images is None:
        raise DatasetError(
            f"{config.dataset.path}: how many images there are is known once dataset.h5 is made; "
            f"run snakemake {config.folder}/dataset.h5 first"
        )
    cores = options.cores or available_cpu_count()
    with Console(stderr=True).status("asking Snakemake what is done, then measuring this machine"):
        pending = pending_jobs(options.configfile)
        if options.calibration:
            calibration = load_calibration(options.calibration, config)
        else:
            needed = None if options.save_calibration else networks_to_measure(config, images, pending=pending)
            calibration = calibrate(config, images, cores=cores, networks=needed)
    if options.save_calibration:
        save_calibration(options.save_calibration, calibration, config)
    stages = plan_study(config, images, pending=pending, calibration=calibration)
    if options.json:
        plan = {"calibration": asdict(calibration), "stages": [asdict(stage) for stage in stages]}
        print(json.dumps(plan | {"verdict": _verdict(config)}))
        return
    _show(config, stages, calibration)
    seconds = sum(stage.seconds for stage in stages)
    if seconds > LONG_SECONDS:
        _warn(seconds, calibration, others=[path for path in SMALLER if not _same(path, options.configfile)])


def _show(config: "StudyConfig", stages: "Sequence[StagePlan]", calibration: "Calibration") -> None:
    from rich.console import Console
    from rich.table import Table

    from roco.study.progress import duration

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("stage", "jobs", "to do", "networks", "TFLOPs", "time"):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=True)
    for stage in stages:
        flops = f"{stage.flops / 1e12:,.1f}" if stage.flops else ""
        counts = [str(count) if count else "" for count in (stage.jobs, stage.open, stage.networks)]
        table.add_row(stage.title, *counts, flops, duration(stage.seconds) if stage.open else "done")
    console.print(f"{config.experiment}, by the speed of {calibration.device}", style="bold")
    console.print(table)
    if not any(stage.open for stage in stages):
        console.print("nothing is left to do")
        return
    seconds = sum(stage.seconds for stage in stages)
    if sentence := _verdict(config):
        console.print(sentence)
    console.print(f"about {duration(seconds)} in all, if nothing else runs there")
    console.print("images that fall early take less; of autoattack and l0 only the first attack is counted")


def _verdict(config: "StudyConfig") -> str:
    """What the study's main comparison can show with its seeds; nothing for a single search."""
    from roco.report.measures.compare import roles_of
    from roco.report.numbers.power import seeds_wanted, spread_seen
    from roco.report.numbers.statistics import FEWEST_SEEDS

    role, seeds = roles_of(config), len(config.seeds)
    if role.main is None:
        return ""
    few = f", too few for a verdict, which needs {FEWEST_SEEDS}" if seeds < FEWEST_SEEDS else ""
    spread = seeds_wanted(*spread_seen(f"{config.folder}/tables/differences.csv"))
    return f"{role.main} against {role.reference}: {seeds} seed{'s' if seeds > 1 else ''}{few}. {spread}"


def _warn(seconds: float, calibration: "Calibration", *, others: Sequence[str]) -> None:
    """Says that a study is long, and how long shipped ones would take on this machine whose images are at hand."""
    from rich.console import Console

    from roco.config import load_config
    from roco.errors import RocoError
    from roco.study.calibration import calibrate
    from roco.study.plan import pending_jobs, plan_study
    from roco.study.progress import duration
    from roco.study.workload import images_of

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"out of reach? about {duration(seconds)} on {calibration.device}", style="yellow")
    for path in others:
        try:
            config = load_config(path)
            if (images := images_of(config)) is None:
                continue
            pending = pending_jobs(path, anew=True)
        except RocoError:
            continue
        here = calibrate(config, images, cores=calibration.cores)
        stages = plan_study(config, images, pending=pending, calibration=here)
        whole = duration(sum(stage.seconds for stage in stages))
        console.print(f"{path} takes about {whole} from its start on {here.device}", style="yellow")


def _same(path: str, other: str) -> bool:
    return Path(path).resolve() == Path(other).resolve()
