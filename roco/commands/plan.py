"""`roco plan`: what a run will do, and how long it would take on this machine."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from roco.commands._arguments import add_configfile, positive

if TYPE_CHECKING:
    from roco.commands import Commands
    from roco.config import StudyConfig
    from roco.study.plan import Plan

# The rough time for measurements. From LONG_SECONDS on a plan names smaller studies.
MEASURING_SECONDS, LONG_SECONDS = 50.0, 2 * 86400.0


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    plan = commands.add_parser("plan", help="what a run will do and how long it would take, before it is started")
    add_configfile(plan)
    plan.add_argument("--cores", type=positive, help="cores for jobs on a CPU (default: what --cores all means here)")
    plan.add_argument("--json", action="store_true", help="print JSON")
    plan.set_defaults(run=_plan)


def _plan(options: argparse.Namespace) -> None:
    from rich.console import Console
    from snakemake.utils import available_cpu_count

    from roco.config import load_config
    from roco.errors import DatasetError
    from roco.study.images import images_of
    from roco.study.plan import Plan, kinds_to_measure, pending_jobs, this_machine
    from roco.study.slices import seconds_by_kind

    config = load_config(options.configfile)
    images = images_of(config)
    if images is None:
        raise DatasetError(
            f"{config.dataset.path}: how many images there are is known once dataset.h5 is made; "
            f"run snakemake {config.folder}/dataset.h5 first"
        )
    with Console(stderr=True).status("asking Snakemake what is done") as status:
        pending = pending_jobs(options.configfile)
        kinds = kinds_to_measure(config, pending)
        machine = this_machine(config, cores=options.cores or available_cpu_count())

        def tell(what: str) -> None:
            status.update(f"measuring this machine: {what}")

        measured = seconds_by_kind(config, images, kinds=kinds, seconds=MEASURING_SECONDS, tell=tell)
    plan = Plan(config, pending, machine, measured)
    if options.json:
        stages = [asdict(stage) | {"seconds": stage.seconds} for stage in plan.stages]
        content = {"machine": asdict(machine), "stages": stages}
        print(json.dumps(content | {"seconds": plan.seconds, "verdict": _verdict(config)}))
        return
    _show(plan, sources=sorted({kind[0] for kind in kinds}))


def _show(plan: "Plan", *, sources: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from roco.study.progress import STAGES, duration

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("stage", "jobs", "to do", "networks", "time alone"):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=True)
    for stage in plan.stages:
        counts = [str(count) if count else "" for count in (stage.jobs, stage.open, stage.networks)]
        table.add_row(stage.title, *counts, duration(stage.seconds) if stage.open else "done")
    console.print(f"{plan.config.experiment} on {plan.machine.name}", style="bold")
    console.print(table)
    if not any(stage.open for stage in plan.stages):
        console.print("nothing is left to do")
        return
    if sentence := _verdict(plan.config):
        console.print(sentence)
    console.print(f"about {duration(plan.seconds)} in all, if nothing else runs there; stages overlap")
    slices = ", ".join(STAGES[rule] for rule in STAGES if rule in sources)
    measured = f"slices measured here just now ({slices})" if slices else ""
    console.print(f"by {measured or 'jobs of this study that ended'}")
    if plan.seconds > LONG_SECONDS:
        console.print("out of reach? smaller: configs/cifar10_small.yaml, configs/cifar10_seeds.yaml", style="yellow")


def _verdict(config: "StudyConfig") -> str:
    """What the study's main comparison can show with its seeds; empty for a single search."""
    from roco.report.measures.compare import roles_of
    from roco.report.numbers.power import seeds_wanted, spread_seen
    from roco.report.numbers.statistics import FEWEST_SEEDS

    role, seeds = roles_of(config), len(config.seeds)
    if role.main is None:
        return ""
    few = f", too few for a verdict, which needs {FEWEST_SEEDS}" if seeds < FEWEST_SEEDS else ""
    spread = seeds_wanted(*spread_seen(f"{config.folder}/tables/differences.csv"))
    return f"{role.main} against {role.reference}: {seeds} seed{'s' if seeds > 1 else ''}{few}. {spread}"
