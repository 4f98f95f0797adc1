"""What successive halving saves in a real search, and how often it changes the final front.

Each search of a configuration is run twice with each seed, from the same first population: with all genomes trained to
the end, and with those stopped that `evaluation.halving` (or --margin and the like) stops. The two runs part as soon as
a stopped genome would have had a child. `stopped wrongly` are those of them that the front of the first run holds.

Needs the study's data set and adversarial set: snakemake ... {results}/{experiment}/adversarial/validation.h5

    python benchmarks/halving.py --configfile configs/cifar10_small.yaml --seeds 0 1 2
"""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roco.config import HalvingConfig, SearchKind, StudyConfig, load_config
from roco.evaluation import EvaluationSettings
from roco.search.population import Individual
from roco.search.survival import pareto_front, truncate
from roco.search.variation import initial_genomes, offspring_genomes
from roco.space.genome import Genome
from roco.store import Store
from roco.workers import evaluate_genomes


@dataclass
class Run:
    """A finished search.

    Attributes:
        records: of all genomes that it evaluated.
        front: keys of its final front.
    """

    records: list[dict[str, Any]]
    front: set[str]

    @property
    def epochs(self) -> int:
        """That were trained in all."""
        return sum(record["epochs"] for record in self.records)

    @property
    def stopped(self) -> list[dict[str, Any]]:
        """The records of genomes that stopped early."""
        return [record for record in self.records if record["status"] == "stopped"]


class Searcher:
    """Runs searches of a configuration without Snakemake, with a store that both kinds of run share."""

    def __init__(self, config: StudyConfig, store: Store, workers: int) -> None:
        self.config, self.store, self.workers = config, store, workers

    def evaluated(self, genomes: Sequence[Genome], seed: int, halving: HalvingConfig | None) -> list[dict[str, Any]]:
        """A generation's records, in jobs as the workflow packs them."""
        evaluation, folder = self.config.evaluation, Path(self.config.folder)
        settings = EvaluationSettings(
            dataset=str(folder / "dataset.h5"),
            adversarial_set=str(folder / "adversarial" / "validation.h5"),
            recipe=evaluation.training.model_dump(mode="json"),
            channels=evaluation.channels,
            stem_padding=self.config.space.stem_padding,
            seed=seed,
            device="cpu" if self.config.device == "auto" else self.config.device,
            measurements=tuple(self.config.search.measurements),
            node=self.config.space.node,
        )
        records: list[dict[str, Any]] = []
        for first in range(0, len(genomes), evaluation.genomes_per_job):
            records += evaluate_genomes(
                genomes[first : first + evaluation.genomes_per_job],
                settings,
                store=self.store,
                workers=self.workers,
                log_file="/dev/null",
                halving=halving,
                objectives=self.config.search.objectives,
            )
        return records

    def run(self, kind: SearchKind, seed: int, halving: HalvingConfig | None) -> Run:
        """A whole search."""
        search = self.config.search
        population: list[Individual] = []
        records: list[dict[str, Any]] = []
        named = [self.config.genome_of(name, key="population_0") for name in search.population_0]
        for generation in range(search.generations + 1):
            genomes = (
                offspring_genomes(
                    population,
                    kind,
                    seen=[record["key"] for record in records],
                    space=self.config.space,
                    search=search,
                    seed=seed,
                    generation=generation,
                )
                if generation
                else initial_genomes(self.config.space, search, named=named, seed=seed)
            )
            new = self.evaluated(genomes, seed, halving)
            records += new
            children = [Individual.from_record(one, born=generation, objectives=kind.objectives) for one in new]
            population = truncate(
                population + children,
                kind.objectives,
                size=search.population,
                seed=seed,
                generation=generation,
                method=kind.method,
            )
        return Run(records, {one.key for one in pareto_front(population, kind.objectives)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--store", type=Path, help="for evaluations; the study's own, if not given")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="of the rung; a fifth of the training, if nothing is said")
    parser.add_argument("--margin", type=float, default=0.05)
    parser.add_argument("--loss-margin", type=float, default=0.05)
    options = parser.parse_args()
    config = load_config(options.configfile)
    rung = options.epochs or max(1, config.evaluation.training.epochs // 5)
    asked = HalvingConfig(epochs=rung, margin=options.margin, loss_margin=options.loss_margin)
    halving = config.evaluation.halving or asked
    logging.disable(logging.INFO)
    searcher = Searcher(config, Store(options.store or f"{config.results}/store"), options.workers)
    print(f"{halving}, {config.evaluation.training.epochs} epochs, jobs of {config.evaluation.genomes_per_job}\n")
    print("| search | seed | evaluated | stopped | stopped wrongly | epochs saved | front without | same with |")
    print("|---|---|---|---|---|---|---|---|")
    for name, kind in config.search.searches.items():
        for seed in options.seeds:
            whole, halved = searcher.run(kind, seed, None), searcher.run(kind, seed, halving)
            lost = len({record["key"] for record in halved.stopped} & whole.front)
            cells = (name, seed, len(halved.records), len(halved.stopped), lost)
            saved = f"{1 - halved.epochs / whole.epochs:.0%}"
            same = f"{len(whole.front & halved.front)} of {len(whole.front)}"
            print("| " + " | ".join(map(str, (*cells, saved, len(whole.front), same))) + " |", flush=True)


if __name__ == "__main__":
    main()
