"""What an evaluation job costs beside training: CPU seconds of each process that it starts, medians over rounds.

On one machine a job is its script and its workers; on a cluster each job starts a Snakemake of its own as well. Needs
the data set and the adversarial set of a study that has got that far. A worker's start is what one
genome costs less what a second one adds, so that training is no part of it.

    python benchmarks/job_overhead.py --study results/digits
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from roco.networks.spec import DecoderSettings
from roco.search.evaluation import EvaluationSettings
from roco.search.workers import evaluate_genomes
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.storage.store import Store

# Without garbage collection, and without taking modules down at the end.
IN_A_JOB = "from roco.runtime import leave, pause_collection; pause_collection(); import torch; leave()"
GENOMES = ("1000000000000000-0000000000000000-0000000000000000", "1100000000000000-0000000000000000-0000000000000000")


def children_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the processes that `work` starts and waits for."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    work()
    return spent() - before


def evaluate(count: int, study: Path) -> None:
    settings = EvaluationSettings(
        dataset=str(study / "dataset.h5"),
        adversarial_set=str(study / "adversarial" / "validation.h5"),
        recipe=Recipe(epochs=1),
        decoder=DecoderSettings(channels=2, stem_padding=0),
        seed=0,
        device="cpu",
    )
    with tempfile.TemporaryDirectory() as folder:
        genomes = [Genome.parse(text) for text in GENOMES[:count]]
        evaluate_genomes(genomes, settings, store=Store(folder), processes=1, log_file=f"{folder}/log")


def run(*command: str) -> None:
    subprocess.run([sys.executable, *command], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--study", type=Path, required=True, help="folder with dataset.h5 and adversarial/validation.h5"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    works: dict[str, Callable[[], object]] = {
        "import torch": lambda: run("-c", "import torch"),
        "the same as in a job": lambda: run("-c", IN_A_JOB),
        "Snakemake reads the workflow": lambda: run("-m", "snakemake", "-n", "--quiet", "--cores", "1"),
        "imports of the job's script": lambda: run("-c", "import roco.search.workers, roco.search.population"),
        "a worker, one genome": lambda: evaluate(1, options.study),
        "a worker, two genomes": lambda: evaluate(2, options.study),
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(options.rounds):
        for name, work in works.items():
            found[name].append(children_seconds(work))
    medians = {name: statistics.median(times) for name, times in found.items()}
    start = 2 * medians["a worker, one genome"] - medians["a worker, two genomes"]
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.2f} s |")
    print(f"| a worker's start (import torch included) | {start:.2f} s |")
    local = medians["imports of the job's script"] + start
    cluster = local + medians["Snakemake reads the workflow"]
    for size in (1, 2, 4, 8):
        print(f"| a job, by each of its {size} genomes: here, cluster | {local / size:.2f} s, {cluster / size:.2f} s |")


if __name__ == "__main__":
    main()
