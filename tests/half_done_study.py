"""Makes up a study that is half done: progress and outputs of jobs, populations of searches. Nothing was measured."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tiny_study import make_dataset

from roco.config import StudyConfig, check_config
from roco.storage.artifacts import write_json
from roco.study.layout import Job, Layout

START = datetime(2026, 1, 2, 3, 4, 5)


def config_of(folder: Path) -> StudyConfig:
    raw = {
        "experiment": "made_up",
        "results": str(folder),
        "dataset": {"name": "digits", "image_size": 16},
        "targets": {"vgg16": None, "resnet": None, "densenet": None, "test": None},
        "search": {"population": 4, "offspring": 2, "generations": 2},
        "evaluation": {"genomes_per_job": 2, "channels": 4, "training": {"epochs": 2}},
        "retraining": {"channels": 4, "networks": 2, "training": {"epochs": 4}},
    }
    return check_config(raw)


def line(seconds: float, message: str, *, level: str = "INFO", **facts: object) -> str:
    """A line of a progress file."""
    time = (START + timedelta(seconds=seconds)).timestamp()
    return json.dumps({"time": time, "level": level, "message": message, **facts}) + "\n"


def failed(seconds: float, reason: str) -> str:
    return line(seconds, reason, level="ERROR", state="failed")


def begin(job: Job, *lines: str, at: float) -> None:
    job.progress.parent.mkdir(parents=True, exist_ok=True)
    job.progress.write_text(line(at, f"rule {job.rule} {{}}", state="running") + "".join(lines))


def finish(job: Job, *, at: float, seconds: float) -> None:
    begin(job, line(at + seconds, "done", state="done"), at=at)
    job.output.parent.mkdir(parents=True, exist_ok=True)
    if job.rule == "dataset":
        make_dataset(seed=0).save(job.output)
    elif job.rule == "evaluate":
        write_json(job.output, "evaluations", [])
    else:
        job.output.touch()


def individual(error: float, adversarial_error: float, flops: int, *, rank: int, status: str = "ok") -> dict[str, Any]:
    return {
        "genome": "1000-0000",
        "key": f"{flops:012x}",
        "born": 0,
        "status": status,
        "error": error,
        "adversarial_error": adversarial_error,
        "flops": flops,
        "parameters": flops // 10,
        "rank": rank,
    }


def write_population(
    config: StudyConfig, search: str, generation: int, individuals: Sequence[dict[str, Any]], *, seen: int
) -> None:
    content = {
        "search": search,
        "seed": 0,
        "generation": generation,
        "objectives": config.search.searches[search].objectives,
        "individuals": list(individuals),
        "seen": [f"{number:012x}" for number in range(seen)],
        "dataset_fingerprint": "",
        "settings_hash": "",
    }
    write_json(Layout(config).population(search, 0, generation), "population", content)
