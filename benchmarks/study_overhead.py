"""Where a whole study's time goes: work, the jobs' own start, and cores that wait; for several sizes of a job.

It runs the study for each size, into a folder that is thrown away. A job's time is what Snakemake saw of it. Work is,
of a job that evaluates genomes, what their records say, and of others the time between the first and last line of the
log, by whole seconds, less `import torch` where that comes later; what is left of a job is its start. What is left of
the cores' time is waiting: for Snakemake, or for a job on which all others depend.

    python benchmarks/study_overhead.py --cores 2 --genomes-per-job 1 6
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from roco.runtime import progress_file
from roco.storage.artifacts import read_json
from roco.study.job_progress import read_progress

ROOT = Path(__file__).parents[1]
# Rules whose jobs write a line to their log before they import torch.
IMPORT_LATE = ("target", "adversarial_cells", "transfer", "retrain", "robustness")


@dataclass(frozen=True)
class Run:
    """One job as Snakemake saw it."""

    rule: str
    outputs: list[Path]
    log: Path | None
    begin: float
    end: float


def study(configfile: Path, folder: Path, cores: int, size: int) -> float:
    """Runs a study with jobs of so many genomes into a folder; seconds by the clock."""
    content = yaml.safe_load(configfile.read_text())
    content["evaluation"]["genomes_per_job"] = size
    own = folder / "config.yaml"
    own.write_text(yaml.safe_dump(content | {"results": str(folder)}, sort_keys=False))
    began = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--configfile", str(own)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    return time.perf_counter() - began


def runs_of(folder: Path) -> list[Run]:
    """From what Snakemake keeps of each file that a job made."""
    found: dict[str, Run] = {}
    for path in (ROOT / ".snakemake" / "metadata").rglob("*"):
        if path.is_file() and (output := base64.b64decode(path.name).decode()).startswith(str(folder)):
            kept = json.loads(path.read_text())
            [log] = kept["log"] or [None]
            run = Run(kept["rule"], [Path(output)], log and Path(log), kept["starttime"], kept["endtime"])
            if (other := found.get(log or output)) is not None:
                run = replace(
                    run,
                    outputs=[*other.outputs, *run.outputs],
                    begin=min(other.begin, run.begin),
                    end=max(other.end, run.end),
                )
            found[log or output] = run
    return list(found.values())


def seconds_to_import() -> float:
    """Of `import torch` as jobs do it, without garbage collection, by the clock."""
    code = "import gc, time; gc.disable(); t = time.perf_counter(); import torch; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout)


def work_of(run: Run, importing: float) -> float:
    """Seconds of a job that are not its start."""
    output = next((path for path in run.outputs if path.suffix == ".json"), None)
    if run.rule == "evaluate" and output:
        return sum(record["seconds"] for record in read_json(output, "evaluations"))
    progress = read_progress(progress_file(run.log)) if run.log else None
    spent = min(progress.seconds, run.end - run.begin) if progress else 0.0
    return max(0.0, spent - importing) if run.rule in IMPORT_LATE else spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, default=ROOT / "config.yaml", help="evaluation.processes must be 1")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--genomes-per-job", type=int, nargs="+", default=[1, 2, 6])
    options = parser.parse_args()
    rows, importing = [], statistics.median(seconds_to_import() for _ in range(3))
    for size in options.genomes_per_job:
        with tempfile.TemporaryDirectory() as name:
            wall = study(options.configfile, Path(name), options.cores, size)
            runs = runs_of(Path(name))
            work, spans = sum(work_of(run, importing) for run in runs), sum(run.end - run.begin for run in runs)
        whole = wall * options.cores
        shares = (work / whole, (spans - work) / whole, 1 - spans / whole)
        rows.append((size, len(runs), f"{wall:.0f} s", *(f"{share:.0%}" for share in shares)))
    print("\n| genomes per job | jobs | by the clock | work | start of jobs | waiting |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    main()
