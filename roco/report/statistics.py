"""Intervals, differences and hypervolumes from counts and objectives. No files, no wording.

Accuracies and objectives are fractions, FLOPs multiply-adds. Groups are lists of one array a seed: the networks that a
search found with that seed are not independent of one another, so both levels are resampled, and the test images too.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, np.dtype[np.float64]]

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
    if images == 0:
        return NOTHING
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, shrink = correct / images, 1 + z * z / images
    centre = (share + z * z / (2 * images)) / shrink
    half = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images)) / shrink
    # At 0 and 1 the bound is exact; rounding would leave it a hair beside.
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == images else min(1.0, centre + half)
    return Interval(share, low, high, "test images")


def newcombe(first: Interval, second: Interval) -> Interval:
    """The difference `first - second` of two shares with Newcombe's hybrid score interval.

    Takes the two as independent, which is cautious for two networks that see the same images.

    Source: Newcombe, "Interval estimation for the difference between independent proportions", Stat. Med. 1998
    (method 10).
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, low, high, "test images")


def _percentiles(draws: Array, of_seeds: Sequence[float], basis: str) -> Interval:
    """The mean over seeds with the interval of its resampled values."""
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(draws, [tail, 100 - tail])
    spread = float(np.std(of_seeds, ddof=1)) if len(of_seeds) > 1 else 0.0
    value = float(np.mean(of_seeds))
    # Values that differ by rounding alone agree.
    effect = value / spread if spread > 1e-12 else math.nan
    return Interval(value, float(low), float(high), basis, effect)


def _basis(seeds: int, unit: str) -> str:
    return f"seeds, {unit} and test images" if seeds > 1 else f"{unit} of one seed and test images"


def _bootstrap(seeds: int, draw: Callable[[int, int], Array], generator: np.random.Generator) -> Array:
    """Means over seeds drawn with replacement, `(RESAMPLES,)`; `draw(seed, n)` gives n resampled means of a seed."""
    chosen = generator.integers(seeds, size=(seeds, RESAMPLES))
    drawn = np.empty(chosen.shape)
    for seed in range(seeds):
        places = chosen == seed
        drawn[places] = draw(seed, int(places.sum()))
    return np.asarray(drawn.mean(axis=0))


def _shares(group: Array, chosen: np.ndarray[Any, np.dtype[np.int64]], generator: np.random.Generator) -> Array:
    """Accuracies of the chosen networks on as many test images drawn anew."""
    accuracy, images = group[chosen, 0], group[chosen, 1].astype(np.int64)
    return np.asarray(generator.binomial(images, accuracy) / images)


def _network_means(group: Array, count: int, generator: np.random.Generator) -> Array:
    chosen = generator.integers(len(group), size=(count, len(group)))
    return np.asarray(_shares(group, chosen, generator).mean(axis=1))


def mean_interval(groups: Sequence[Array], generator: np.random.Generator) -> Interval:
    """The mean over seeds of the mean within a seed, with a percentile bootstrap over seeds, networks and test images.

    Args:
        groups: for each seed its networks, `(networks, 2)`: accuracy and the number of images; empty ones are left out.
        generator: the source of the resampling.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    draws = _bootstrap(len(groups), lambda seed, count: _network_means(groups[seed], count, generator), generator)
    return _percentiles(draws, [group[:, 0].mean() for group in groups], _basis(len(groups), "networks"))


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
    seed, and test images, are drawn for each. Drawing the images for each is cautious: both saw the same ones.

    Args:
        first: for each seed the networks of the one search, `(networks, 2)`: accuracy and the number of images.
        second: for the same seeds in the same order, those of the other.
        generator: the source of the resampling.
    """
    pairs = [(one, two) for one, two in zip(first, second, strict=True) if len(one) and len(two)]
    if not pairs:
        return NOTHING
    of_seeds = [one[:, 0].mean() - two[:, 0].mean() for one, two in pairs]

    def draw(seed: int, count: int) -> Array:
        one, two = pairs[seed]
        return _network_means(one, count, generator) - _network_means(two, count, generator)

    return _percentiles(_bootstrap(len(pairs), draw, generator), of_seeds, _basis(len(pairs), "networks"))


def paired_interval(groups: Sequence[Array], generator: np.random.Generator) -> Interval:
    """The mean difference within pairs of networks, over pairs and then over seeds, with a percentile bootstrap.

    Args:
        groups: for each seed its pairs, `(pairs, 5)`: accuracy and images of the one, of the other, and whether both
            are the same network (1 or 0), whose difference does not depend on the images.
        generator: the source of the resampling.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    of_seeds = [(group[:, 0] - group[:, 2]).mean() for group in groups]

    def draw(seed: int, count: int) -> Array:
        group = groups[seed]
        chosen = generator.integers(len(group), size=(count, len(group)))
        drawn = _shares(group[:, :2], chosen, generator) - _shares(group[:, 2:4], chosen, generator)
        exact = group[chosen, 0] - group[chosen, 2]
        return np.asarray(np.where(group[chosen, 4] == 1, exact, drawn).mean(axis=1))

    return _percentiles(_bootstrap(len(groups), draw, generator), of_seeds, _basis(len(groups), "pairs"))


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
