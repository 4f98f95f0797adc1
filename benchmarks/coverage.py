"""Whether the report's intervals hold what they claim: its own functions on made-up studies whose truth is known.

Images, the searches' seeds, networks and trainings each have an effect of their own; all networks see the same images.
An image is right where the sum of the effects and a little luck is above a limit, so that the true accuracy of a
search, and that of one run or one network, is known exactly. A cell is the share of studies whose 95 % interval misses
the truth, with the share's own standard error: where the searches do not differ, these are false positives. A whole
table of differences is tried as well: how often its main comparison, and how often any other, has a star where nothing
differs.

    python benchmarks/coverage.py --trials 300     # tables; each interval is tried on three times as many studies

Exits with 1 if a cell is above 7.5 %.
"""

import argparse
import math
import os
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from coverage_studies import Made, Studied, study
from coverage_tables import Starred, stars

from roco.report.numbers.contrasts import difference_interval, interpolated_interval, paired_interval
from roco.report.numbers.perturbation_statistics import mean_of_medians
from roco.report.numbers.relations import seed_difference, seed_mean, spearman
from roco.report.numbers.statistics import Interval, interval_over_seeds, mean_interval, network_interval

SEEDS = (1, 2, 3, 5, 10)
LIMIT = 0.075

# What a trial gives: the interval, and the truth that it is to hold.
Trial = tuple[Interval, float]


def mean(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """Tables III and IV, the curve: the mean of a search."""
    one = study(made, seeds, generator)
    truth = one.truth[0]
    if seeds == 1:
        truth = one.of_seed[0][0] if len(one.networks[0][0]) > 1 else _of_one_network(one, 0)
    return mean_interval(one.networks[0], one.sizes), truth


def _of_one_network(one: Studied, search: int) -> float:
    retrained = len(one.networks[search][0][0]) > 1
    return (one.of_network if retrained else one.of_training)[search][0][0]


def difference(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """The N lightest networks of two searches."""
    one = study(made, seeds, generator)
    return difference_interval(*one.networks, one.sizes), _true_gain(one, seeds)


def _true_gain(one: Studied, seeds: int) -> float:
    """Of the searches; within one run, of its networks: what their seed gives, or what a single one does."""
    if seeds > 1:
        return one.truth[0] - one.truth[1]
    several = [len(side[0]) > 1 for side in one.networks]
    sides = [one.of_seed[k][0] if several[k] else _of_one_network(one, k) for k in (0, 1)]
    return sides[0] - sides[1]


def pairs(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """Pairs at equal FLOPs."""
    one = study(made, seeds, generator)
    groups = [list(zip(ours, theirs, strict=False)) for ours, theirs in zip(*one.networks, strict=True)]
    return paired_interval(groups, one.sizes), _true_gain(one, seeds)


def interpolated(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """Interpolated fronts, with weights by chance; of one seed the networks are given."""
    one, groups, truth = study(made, seeds, generator), [], 0.0
    for place in range(seeds):
        group = []
        for side, sign in ((0, 1.0), (1, -1.0)):
            networks = one.networks[side][place]
            weights = sign * generator.dirichlet(np.ones(len(networks)))
            group += list(zip(weights.tolist(), networks, strict=True))
            truth += float(weights @ np.array(one.of_network[side][place]))
        groups.append(group)
    return interpolated_interval(groups, one.sizes), truth if seeds == 1 else one.truth[0] - one.truth[1]


def hypervolume(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """The gain in hypervolume over the control: one value a seed."""
    return interval_over_seeds(generator.normal(0.01 * made.gain, 0.01 * made.seed, seeds)), 0.01 * made.gain


def topology(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """The difference of a feature of the networks, such as their depth."""
    sides, of_run = [], []
    for gain in (made.gain, 0.0):
        own = np.repeat(generator.normal(gain, made.seed, seeds), made.networks)
        values = own + generator.normal(0, made.network, len(own))
        sides.append((values.tolist(), np.repeat(np.arange(seeds), made.networks).tolist()))
        of_run.append(float(own[0]))
    return seed_difference(*sides), made.gain if seeds > 1 else of_run[0] - of_run[1]


def feature(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """The mean of a feature."""
    own = np.repeat(generator.normal(0, made.seed, seeds), made.networks)
    values, places = own + generator.normal(0, made.network, len(own)), np.repeat(np.arange(seeds), made.networks)
    return seed_mean(values.tolist(), places.tolist()), 0.0 if seeds > 1 else float(own[0])


def correlation(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """Spearman's rank correlation of two numbers that have nothing to do with each other."""
    places = np.repeat(np.arange(seeds), made.networks)
    x, y = (generator.normal(0, made.seed, seeds)[places] + generator.normal(0, 2, len(places)) for _ in range(2))
    return spearman(x.tolist(), y.tolist(), places.tolist(), generator), 0.0


def median(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """The median smallest perturbation of a search's networks, in logarithms that are normal around 0."""
    images = generator.normal(0, 1, made.images)
    of_seeds = generator.normal(0, 0.2, seeds)
    groups = [
        [
            [np.exp(own + generator.normal(0, 0.2) + images + generator.normal(0, 0.5, made.images)) * 10]
            for _ in range(made.networks)
        ]
        for own in of_seeds
    ]
    truth = 10 * (math.exp((0.2**2 + 0.2**2) / 2) if seeds > 1 else math.exp(of_seeds[0] + 0.2**2 / 2))
    return mean_of_medians(groups, purpose="coverage"), truth


def retrained(made: Made, seeds: int, generator: np.random.Generator) -> Trial:
    """A single network; as many retrainings as the column has seeds."""
    one = study(replace(made, networks=1, retrainings=seeds), 1, generator)
    return network_interval(one.networks[0][0][0], one.sizes), _of_one_network(one, 0)


@dataclass(frozen=True)
class Row:
    """A row of the table: what is tried on which studies, with which numbers of seeds."""

    title: str
    trial: Callable[[Made, int, np.random.Generator], Trial]
    made: Made
    seeds: tuple[int, ...] = SEEDS


ONE, FIVE = Made(networks=1), Made()
ONLY_SEEDS = Made(seed=4, network=0, retraining=0)
ONLY_NETWORKS = Made(seed=0, shared=0, network=4, retraining=4)
UNEQUAL = Made(networks=0, retrainings=0)
SOURCES, MANY = Made(sources=27), Made(images=2400, sources=100, networks=2)
SEVERAL = SEEDS[1:]
NULL = (
    Row("mean, one network per seed", mean, ONE),
    Row("mean, five networks", mean, FIVE),
    Row("mean, no effect but the images'", mean, Made(shared=0, seed=0, network=0, retraining=0)),
    Row("mean, five networks at 90 %", mean, Made(level=51)),
    Row("mean, unequal numbers of networks and trainings", mean, UNEQUAL),
    Row("mean, 200 adversarial images from 27 sources", mean, SOURCES),
    Row("mean, 2,400 from 100 sources, two networks", mean, MANY),
    Row("one network, as many trainings as the column has seeds", retrained, Made(retraining=5)),
    Row("median smallest perturbation, five networks", median, FIVE),
    Row("difference of means, one network per seed", difference, ONE),
    Row("difference of means, one network per seed, 2,000 images", difference, replace(ONE, images=2000)),
    Row("difference of means, five networks", difference, FIVE),
    Row("difference of means, effects of seeds only", difference, ONLY_SEEDS),
    Row("difference of means, effects of networks only", difference, ONLY_NETWORKS),
    Row("difference of means, unequal numbers", difference, UNEQUAL),
    Row("difference of means, images that one search likes", difference, Made(tastes=0.7)),
    Row("difference of means, 200 images from 27 sources", difference, SOURCES),
    Row("difference of means, 2,400 images from 100 sources", difference, MANY),
    Row("pairs at equal FLOPs, three a seed", pairs, Made(networks=3)),
    Row("pairs at equal FLOPs, one a seed", pairs, ONE),
    Row("interpolated fronts", interpolated, FIVE),
    Row("hypervolume over the control", hypervolume, FIVE, SEVERAL),
    Row("mean of a feature, five networks", feature, FIVE),
    Row("difference of a feature, five networks", topology, FIVE),
    Row("rank correlation, six networks", correlation, Made(networks=6), SEEDS[:-1]),
)
GAIN = 5.0
TRUE = (
    Row("difference of means, one network per seed", difference, replace(ONE, gain=GAIN), SEVERAL),
    Row("difference of means, five networks", difference, replace(FIVE, gain=GAIN), SEVERAL),
    Row("difference of means, 200 images from 27 sources", difference, replace(SOURCES, gain=GAIN), SEVERAL),
    Row("pairs at equal FLOPs, three a seed", pairs, Made(networks=3, gain=GAIN), SEVERAL),
    Row("interpolated fronts", interpolated, replace(FIVE, gain=GAIN), SEVERAL),
    Row("hypervolume over the control", hypervolume, replace(FIVE, gain=GAIN), SEVERAL),
)
# What a test has time for: what an interval of a bootstrap over seeds, networks or images gets wrong most.
SHORT = ("difference of means, one network per seed", "mean, 200 adversarial images from 27 sources")


@dataclass(frozen=True)
class Cell:
    """How many of some studies' intervals missed the truth, and how many left out zero."""

    trials: int
    missed: int
    away: int

    @property
    def rate(self) -> float:
        """The share of intervals that missed."""
        return self.missed / self.trials

    def shown(self) -> str:
        """In percent with its standard error."""
        return in_percent(self.missed, self.trials)


def in_percent(count: int, trials: int) -> str:
    """A share in percent with its standard error."""
    share = count / trials
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / trials):.1f}"


def tried(row: Row, seeds: int, trials: int) -> Cell:
    """A cell of the table; the same studies each time."""
    generator = np.random.default_rng([zlib.crc32(f"{row.title} {row.made}".encode()), seeds])
    # One run is only judged where its networks were trained more than once.
    compares = row.trial in (difference, pairs, interpolated)
    made = replace(row.made, retrainings=3) if seeds == 1 and row.made.retrainings == 1 and compares else row.made
    missed = away = 0
    for _ in range(trials):
        found, truth = row.trial(made, seeds, generator)
        missed += found.low > truth or found.high < truth
        away += found.excludes_zero
    return Cell(trials, missed, away)


def main() -> int:
    """Prints the tables; 1 if a cell is too high."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300, help="made-up studies for each cell of a whole table")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--short", action="store_true", help="two rows only, and no whole tables")
    options = parser.parse_args()
    start, trials = time.monotonic(), 3 * options.trials
    rows = [row for row in NULL if row.title in SHORT] if options.short else NULL
    true = () if options.short else TRUE
    places = [(row, seeds) for row in (*rows, *true) for seeds in row.seeds]
    with ProcessPoolExecutor(options.workers) as pool:
        of_tables = () if options.short else (5, 10)
        tables = {seeds: pool.submit(stars, seeds, options.trials) for seeds in of_tables}
        futures = {place: pool.submit(tried, *place, trials) for place in places}
        cells = {place: future.result() for place, future in futures.items()}
        starred = {seeds: future.result() for seeds, future in tables.items()}
    print(f"Intervals that miss the truth, %, of {trials} studies without a difference; 5 are promised.")
    _print([(row.title, *_shown(row, cells, Cell.shown)) for row in rows])
    if true:
        print(f"\nThe same with a difference of {GAIN:g} points; in parentheses how often it is resolved.")
        _print([(row.title, *_shown(row, cells, _with_power)) for row in true])
        print(f"\nWhole tables of differences, %, of {options.trials} studies without one.")
        _print(_of_tables(starred))
    print(f"\n{time.monotonic() - start:.0f} s")
    worst = [f"{row.title}, {seeds} seeds" for (row, seeds), cell in cells.items() if cell.rate > LIMIT]
    worst += [f"tables, {seeds} seeds" for seeds, found in starred.items() if found.worst > LIMIT]
    for name in worst:
        print(f"above {100 * LIMIT:.1f} %: {name}")
    return 1 if worst else 0


def _of_tables(starred: dict[int, Starred]) -> list[tuple[str, ...]]:
    lines: dict[str, Callable[[Starred], str]] = {
        "with a star in the main comparison": lambda one: in_percent(one.main, one.trials),
        "with a star in any of the others": lambda one: in_percent(one.others, one.trials),
        "others with p < 0.05, without correction": lambda one: (
            f"{one.uncorrected / one.trials:.1f} of {one.comparisons / one.trials:.0f}"
        ),
    }
    return [(title, *(show(starred[s]) if s in starred else "" for s in SEEDS)) for title, show in lines.items()]


def _with_power(cell: Cell) -> str:
    return f"{cell.shown()} ({100 * cell.away / cell.trials:.0f})"


def _shown(row: Row, cells: dict[tuple[Row, int], Cell], show: Callable[[Cell], str]) -> list[str]:
    return [show(cells[row, seeds]) if seeds in row.seeds else "" for seeds in SEEDS]


def _print(rows: list[tuple[str, ...]]) -> None:
    for row in [
        ("what varies", *(f"{seeds} seed{'s' * (seeds > 1)}" for seeds in SEEDS)),
        ("---", *["---:"] * 5),
        *rows,
    ]:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    sys.exit(main())
