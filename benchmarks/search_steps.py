"""How long the search's own steps take for large populations: genomes, offspring, truncation; in CPU seconds.

python benchmarks/search_steps.py
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from roco.search.records import Individual
from roco.search.settings import SearchConfig
from roco.search.survival import truncate
from roco.search.variation import initial_genomes, offspring_genomes
from roco.space.genome import Genome
from roco.space.settings import SpaceConfig

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


def judged(genomes: list[Genome], generator: np.random.Generator) -> list[Individual]:
    """The genomes with objectives out of thin air."""
    return [
        Individual(
            genome=str(genome),
            key=genome.key,
            born=0,
            status="ok",
            error=float(generator.random()),
            adversarial_error=float(generator.random()),
            flops=int(generator.integers(10**6, 10**8)),
            parameters=10**5,
        )
        for genome in genomes
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--populations", type=int, nargs="+", default=[40, 200, 1000])
    options = parser.parse_args()
    space, generator = SpaceConfig(), np.random.default_rng(0)
    print("| population and offspring | first genomes | offspring | truncation |\n|---|---|---|---|")
    for size in options.populations:
        search = SearchConfig(population=size, offspring=size)
        kind = search.searches["roco"]
        genomes, first = timed(lambda search=search: initial_genomes(space, search, named=[], seed=0))
        parents = judged(genomes, generator)
        children, variation = timed(
            lambda search=search, kind=kind, parents=parents: offspring_genomes(
                parents,
                kind,
                seen=[parent.key for parent in parents],
                space=space,
                search=search,
                seed=0,
                generation=1,
            )
        )
        both = parents + judged(children, generator)
        _, truncation = timed(
            lambda both=both, kind=kind, size=size: truncate(both, kind.objectives, size=size, seed=0, generation=1)
        )
        print(f"| {size} | {first:.2f} s | {variation:.2f} s | {truncation:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
