"""`roco status`: the progress of a study, from its files alone, while it runs or later."""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from roco.commands._arguments import add_configfile, positive

if TYPE_CHECKING:
    from rich.console import RenderableType

    from roco.commands import Commands
    from roco.config import StudyConfig
    from roco.study.layout import Job
    from roco.study.progress import StageState, StudyState
    from roco.study.search_progress import SearchProgress

# The largest number of running jobs that are shown.
MOST_JOBS = 8


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    status = commands.add_parser("status", help="how far a study is: stages, searches, failures, time left")
    add_configfile(status)
    status.add_argument("--json", action="store_true", help="print JSON")
    status.add_argument("--watch", action="store_true", help="show it anew every few seconds, until Ctrl-C or the end")
    status.add_argument("--every", type=positive, default=5, metavar="SECONDS", help="with --watch (default: 5)")
    status.set_defaults(run=_status)


def _status(options: argparse.Namespace) -> None:
    from rich.console import Console

    from roco.config import load_config
    from roco.study.job_progress import ProgressFiles
    from roco.study.progress import study_state
    from roco.study.search_progress import search_progress

    config, console, files = load_config(options.configfile), Console(highlight=False), ProgressFiles()
    while True:
        study, searches, change = study_state(config, files=files), search_progress(config), _changed_images(config)
        if options.json:
            print(json.dumps(_as_plain(study, searches) | {"changed_images": change}, default=str))
        else:
            if options.watch and console.is_terminal:
                console.clear()
            console.print(render(study, searches))
            if change:
                console.print(f"\nnext run: {change}", style="red", markup=False, soft_wrap=True)
        if not options.watch or study.finished:
            return
        time.sleep(options.every)


def _changed_images(config: "StudyConfig") -> str | None:
    """A sentence if a run will make the data set anew because its source has changed."""
    from roco.data.origin import change_since
    from roco.errors import RocoError

    try:
        return change_since(config.dataset, f"{config.folder}/dataset.h5")
    except RocoError as error:
        return str(error)


def _as_plain(study: "StudyState", searches: "Sequence[SearchProgress]") -> dict[str, Any]:
    """The status as data: times in seconds, errors as shares."""
    stages = [
        {
            **{name: getattr(stage, name) for name in ("title", "unit", "done", "total", "jobs_left", "job_seconds")},
            "running": [_job(job) | {"says": progress.message} for job, progress in stage.running],
            "failed": [_job(job) | {"error": error} for job, error in stage.failed],
        }
        for stage in study.stages
    ]
    return {
        "experiment": study.name,
        "folder": study.folder,
        "running": study.holder or None,
        "finished": study.finished,
        "seconds_left": study.seconds_left,
        "unmeasured": study.unmeasured,
        "stages": stages,
        "searches": [asdict(search) for search in searches],
    }


def _job(job: "Job") -> dict[str, Any]:
    return {"rule": job.rule, "wildcards": job.wildcards, "log": job.log}


def render(study: "StudyState", searches: "Sequence[SearchProgress]") -> "RenderableType":
    """The status as text for 80 columns."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{study.name}: {headline(study)}", style="bold"), _stage_table(study.stages)]
    if any(search.generation is not None for search in searches):
        parts += [Text(), _search_table(searches)]
    parts += _lines_of_jobs(study.stages)
    return Group(*parts)


def _lines_of_jobs(stages: "Sequence[StageState]") -> "list[RenderableType]":
    """Running and failed jobs; of many running jobs those that wrote last."""
    from rich.text import Text

    running = [pair for stage in stages for pair in stage.running]
    running.sort(key=lambda pair: pair[1].written, reverse=True)
    lines = [f"  {job.title}: {progress.message}" for job, progress in running[:MOST_JOBS]]
    if len(running) > MOST_JOBS:
        lines.append(f"  and {len(running) - MOST_JOBS} more")
    shown: list[RenderableType] = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
    for stage in stages:
        for job, error in stage.failed:
            shown.append(Text(f"failed: {stage.title}, {job.title}", style="red"))
            shown += [Text(f"  {error}"), Text(f"  {job.log}", overflow="fold")]
    return [Text(), *shown] if shown else []


def headline(study: "StudyState") -> str:
    """Whether the study is finished, running or at rest, and how much time is left."""
    from roco.study.progress import duration

    if study.finished:
        return f"finished; the report is at {study.folder}/report.html"
    state = f"running ({study.holder})" if study.holder else "not running"
    if not study.holder and not any(stage.done for stage in study.stages):
        return "not started"
    if study.seconds_left is not None:
        unmeasured = f", without {' and '.join(study.unmeasured)}" if study.unmeasured else ""
        return f"{state}, about {duration(study.seconds_left)} left{unmeasured}"
    return state


def _stage_table(stages: "Sequence[StageState]") -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("stage", "done", ""):
        table.add_column(name, no_wrap=True, justify="right" if name == "done" else "left")
    for stage in stages:
        counted = f"{stage.done} of {stage.total}{' genomes' if stage.unit == 'genomes' else ''}"
        counts = [(len(stage.running), "running"), (len(stage.failed), "failed")]
        now = ", ".join(f"{count} {name}" for count, name in counts if count)
        table.add_row(stage.title, counted, now or ("" if stage.jobs_left else "done"))
    return table


def _search_table(searches: "Sequence[SearchProgress]") -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    headings = ("search", "seed", "gen.", "seen", "failed", "front", "error", "adv. err.", "MFLOPs", "hypervol.")
    for name in headings:
        table.add_column(name, justify="left" if name == "search" else "right", no_wrap=name != "search")
    for each in searches:
        best = [f"{100 * each.best[name]:.1f} %" if each.best else "" for name in ("error", "adversarial_error")]
        table.add_row(
            each.search,
            str(each.seed),
            f"{'-' if each.generation is None else each.generation}/{each.generations}",
            str(each.evaluated),
            str(each.failed),
            str(each.front),
            *best,
            f"{each.best['flops'] / 1e6:.2f}" if each.best else "",
            "" if each.hypervolume is None else f"{each.hypervolume:.3f}",
        )
    return table
