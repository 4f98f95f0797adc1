"""Intervals, differences and hypervolumes from counts and objectives. No files, no wording.

Accuracies and objectives are fractions, FLOPs multiply-adds. Groups are lists of one array a seed, in the form of
roco.report.resampling: the networks that a search found with that seed are not independent of one another, so both
levels are resampled, a network's retrainings and the test images too.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from roco.report.resampling import Array, means_redrawn, most_retrainings, redrawn, values_of

CONFIDENCE = 0.95
RESAMPLES = 2000
# A hypervolume's reference point lies a tenth of the range beyond the worst value, so that extreme networks count too.
REFERENCE_POINT = 1.1


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval, and what was varied to get it; NaN where there is nothing to estimate.

    Attributes:
        value: the estimate.
        low: the lower bound.
        high: the upper bound.
        basis: what was varied.
        effect: of a difference: its mean over seeds by its standard deviation over seeds (Cohen's d of paired values);
            NaN for fewer than two seeds, or seeds that all agree.
    """

    value: float
    low: float
    high: float
    basis: str
    effect: float = math.nan

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; False where there is no interval."""
        return self.low > 0 or self.high < 0


NOTHING = Interval(math.nan, math.nan, math.nan, "no data")


def wilson(correct: int, images: int) -> Interval:
    """The share `correct / images` with Wilson's score interval.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    return _wilson(correct / images, images) if images else NOTHING


def _wilson(share: float, images: int) -> Interval:
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    shrink = 1 + z * z / images
    centre = (share + z * z / (2 * images)) / shrink
    half = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images)) / shrink
    # At 0 and 1 the bound is exact; rounding would leave it a hair beside.
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return Interval(share, low, high, "test images")


def network_interval(accuracies: Sequence[float], images: int, generator: np.random.Generator) -> Interval:
    """A single network's value: the mean over its retrainings, with Wilson's interval, widened by their spread.

    The two are independent sources of error, so their distances from the value are added in squares (as of the
    differences of `newcombe`). With one retraining it is Wilson's interval.

    Args:
        accuracies: after each retraining, on the same images.
        images: their number.
        generator: the source of the resampling.
    """
    if not len(accuracies) or not images:
        return NOTHING
    group = np.array([[*accuracies, images]])
    value = float(values_of(group)[0])
    of_images = _wilson(value, images)
    if len(accuracies) == 1:
        return of_images
    draws = means_redrawn(group, np.zeros(RESAMPLES, dtype=np.int64), generator)
    low, high = np.percentile(draws, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)])
    below = math.hypot(value - of_images.low, value - float(low))
    above = math.hypot(of_images.high - value, float(high) - value)
    return Interval(value, max(0.0, value - below), min(1.0, value + above), "retrainings and test images")


def newcombe(first: Interval, second: Interval) -> Interval:
    """The difference `first - second` of two shares with Newcombe's hybrid score interval.

    Takes the two as independent, which is cautious for two networks that see the same images.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 1998
    (method 10).
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    # The longer one names what the other varies, and more.
    return Interval(value, low, high, max(first.basis, second.basis, key=len))


def _percentiles(draws: Array, of_seeds: Sequence[float], basis: str) -> Interval:
    """The mean over seeds with the interval of its resampled values."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(draws, [tail, 100 - tail])
    spread = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else 0.0
    value = float(np.mean(of_seeds))
    # Values that differ by rounding alone agree.
    effect = value / spread if spread > 1e-12 else math.nan
    return Interval(value, float(low), float(high), basis, effect)


def _basis(seeds: int, unit: str, groups: Iterable[Array]) -> str:
    return varied(["seeds", unit] if seeds > 1 else [f"{unit} of one seed"], groups)


def varied(units: Sequence[str], groups: Iterable[Array]) -> str:
    """What was drawn anew in words: some units, retrainings where any network has several, and test images."""
    several = any(most_retrainings(group) > 1 for group in groups)
    return in_words([*units, *(["retrainings"] if several else []), "test images"])


def in_words(parts: Sequence[str]) -> str:
    """Several things in a row: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _bootstrap(seeds: int, draw: Callable[[int, int], Array], generator: np.random.Generator) -> Array:
    """Means over seeds drawn with replacement, `(RESAMPLES,)`; `draw(seed, n)` gives n resampled means of a seed."""
    chosen = generator.integers(seeds, size=(seeds, RESAMPLES))
    drawn = np.empty(chosen.shape)
    for seed in range(seeds):
        places = chosen == seed
        drawn[places] = draw(seed, int(places.sum()))
    return np.asarray(drawn.mean(axis=0))


def _network_means(group: Array, count: int, generator: np.random.Generator) -> Array:
    chosen = generator.integers(len(group), size=(count, len(group)))
    return np.asarray(redrawn(group, chosen, generator).mean(axis=1))


def mean_interval(groups: Sequence[Array], generator: np.random.Generator) -> Interval:
    """The mean over seeds of the mean within a seed, with a percentile bootstrap over all that is drawn anew.

    Args:
        groups: for each seed its networks, `(networks, retrainings + 1)`; empty ones are left out.
        generator: the source of the resampling.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    draws = _bootstrap(len(groups), lambda seed, count: _network_means(groups[seed], count, generator), generator)
    return _percentiles(draws, [values_of(group).mean() for group in groups], _basis(len(groups), "networks", groups))


def interval_over_seeds(values: Array, generator: np.random.Generator) -> Interval:
    """The mean of one value a seed with a percentile bootstrap over seeds; a single seed has no interval.

    Args:
        values: `(seeds,)`.
        generator: the source of the resampling.
    """
    if len(values) < 2:
        return Interval(float(values[0]), math.nan, math.nan, "one seed") if len(values) else NOTHING
    draws = values[generator.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    return _percentiles(draws, values.tolist(), "seeds")


def difference_interval(first: Sequence[Array], second: Sequence[Array], generator: np.random.Generator) -> Interval:
    """The difference of two searches, paired by seed: `mean(first) - mean(second)` with a percentile bootstrap.

    Seeds are drawn once for both, because both searches of a seed start from the same population; networks within a
    seed, their retrainings and test images are drawn for each. Drawing the images for each is cautious: both saw the
    same ones.

    Args:
        first: for each seed the networks of the one search, `(networks, retrainings + 1)`.
        second: for the same seeds in the same order, those of the other.
        generator: the source of the resampling.
    """
    pairs = [(one, two) for one, two in zip(first, second, strict=True) if len(one) and len(two)]
    if not pairs:
        return NOTHING
    of_seeds = [values_of(one).mean() - values_of(two).mean() for one, two in pairs]

    def draw(seed: int, count: int) -> Array:
        one, two = pairs[seed]
        return _network_means(one, count, generator) - _network_means(two, count, generator)

    basis = _basis(len(pairs), "networks", [side for pair in pairs for side in pair])
    return _percentiles(_bootstrap(len(pairs), draw, generator), of_seeds, basis)


def paired_interval(groups: Sequence[Array], generator: np.random.Generator) -> Interval:
    """The mean difference within pairs of networks, over pairs and then over seeds, with a percentile bootstrap.

    Args:
        groups: for each seed its pairs, `(pairs, 2 * (retrainings + 1) + 1)`: the one network, the other, and whether
            both are the same (1 or 0), whose difference depends neither on the images nor on their retrainings.
        generator: the source of the resampling.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    sides = [np.split(group[:, :-1], 2, axis=1) for group in groups]
    exact = [values_of(one) - values_of(two) for one, two in sides]

    def draw(seed: int, count: int) -> Array:
        one, two = sides[seed]
        chosen = generator.integers(len(one), size=(count, len(one)))
        drawn = redrawn(one, chosen, generator) - redrawn(two, chosen, generator)
        return np.asarray(np.where(groups[seed][chosen, -1] == 1, exact[seed][chosen], drawn).mean(axis=1))

    basis = _basis(len(groups), "pairs", [side for pair in sides for side in pair])
    return _percentiles(_bootstrap(len(groups), draw, generator), [found.mean() for found in exact], basis)


def resampled_interval(
    of_seeds: Sequence[float], draw: Callable[[int, int], Array], generator: np.random.Generator, *, basis: str
) -> Interval:
    """The mean over seeds with a percentile bootstrap over seeds, and within them as `draw(seed, n)` does it."""
    return _percentiles(_bootstrap(len(of_seeds), draw, generator), of_seeds, basis)


def pair_by_flops(
    first: Sequence[int], second: Sequence[int], *, tolerance: float | None = None
) -> list[tuple[int, int]]:
    """One-to-one pairs of networks with nearly equal FLOPs, the closest pair first; accuracies play no part.

    Args:
        first: FLOPs of the networks of the one search.
        second: FLOPs of those of the other.
        tolerance: how much larger the heavier of a pair may be, as a fraction; any, if not given.

    Returns:
        Positions in `first` and `second`; each network is in one pair at most.
    """
    ratios = [
        (max(one, two) / min(one, two) - 1, i, j)
        for i, one in enumerate(first)
        for j, two in enumerate(second)
        if min(one, two) > 0
    ]
    pairs: list[tuple[int, int]] = []
    used_first: set[int] = set()
    used_second: set[int] = set()
    for excess, i, j in sorted(ratios):
        if (tolerance is None or excess <= tolerance) and i not in used_first and j not in used_second:
            pairs.append((i, j))
            used_first.add(i)
            used_second.add(j)
    return pairs


def hypervolumes(populations: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The hypervolume of every population in the given objectives, all on one scale.

    Each objective is scaled so that its best and worst value among the successful networks of all searches, seeds and
    generations become 0 and 1; the reference point is 1.1 in each, and the volume is given as a share of the box
    between the best values and the reference point.

    Args:
        populations: columns search, seed, generation, evaluations, status and the objectives (smaller is better).
        objectives: the objectives to span the volume.

    Returns:
        search, seed, generation, evaluations, hypervolume (0 to 1; a population without a successful network has 0).
    """
    from pymoo.indicators.hv import HV

    successful = populations[populations["status"] == "ok"]
    values = successful[list(objectives)].to_numpy(dtype=float)
    rows = []
    best = values.min(axis=0) if len(values) else np.zeros(len(objectives))
    spread = (values.max(axis=0) if len(values) else np.ones(len(objectives))) - best
    spread[spread == 0] = 1.0
    indicator = HV(ref_point=np.full(len(objectives), REFERENCE_POINT))
    for place, members in populations.groupby(["search", "seed", "generation"], sort=True):
        found = members[members["status"] == "ok"][list(objectives)].to_numpy(dtype=float)
        volume = float(indicator((found - best) / spread)) if len(found) else 0.0
        rows.append((*place, members["evaluations"].iloc[0], volume / REFERENCE_POINT ** len(objectives)))
    return pd.DataFrame(rows, columns=["search", "seed", "generation", "evaluations", "hypervolume"])
