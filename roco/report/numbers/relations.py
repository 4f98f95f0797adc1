"""How two numbers go together: fitted trends, rank correlations, means of features; with intervals.

The networks of one seed of a search are not independent. Means have one value per seed, and Student's t over these.
Trends and correlations have the standard error of a bootstrap, which draws seeds with all their networks, times
Student's t. A network's value is the mean over its retrainings. The influence of retrainings and test images is part of
the scatter of networks, which the bootstrap covers.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from roco.report.numbers.shares import Array
from roco.report.numbers.statistics import (
    CONFIDENCE,
    NOTHING,
    Error,
    Interval,
    half_width,
    interval_over_seeds,
    quantile,
)

# Fewer networks have no trend worth a line, and no rank correlation that differs from chance.
RESAMPLES = 2000
FEWEST = 4
FEWEST_RANKED = 6


def draws(seeds: Sequence[int], generator: np.random.Generator) -> Array:
    """How often each network is in each resample, `(RESAMPLES, networks)`.

    Seeds are drawn with all their networks; with one seed, networks are drawn.

    Args:
        seeds: the seed of each network.
        generator: the source of the resampling.
    """
    names, index = np.unique(np.asarray(seeds), return_inverse=True)
    if len(names) == 1:
        index = np.arange(len(seeds))
    count = int(index.max()) + 1
    times = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.asarray(times[:, index], dtype=np.float64)


def _times(seeds: Sequence[int]) -> float:
    """The half width of the interval in standard errors of the bootstrap.

    Student's t for the number of seeds (for one seed: networks), with a correction for the bootstrap of few units.
    """
    count = len(set(seeds)) if len(set(seeds)) > 1 else len(seeds)
    return quantile(count - 1) * math.sqrt(count / (count - 1))


def _basis(seeds: Sequence[int]) -> str:
    return "seeds and networks" if len(set(seeds)) > 1 else "networks of one seed"


def _weighted_line(weights: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Intercepts and slopes of least-squares lines, one per row of weights; NaN if all points have the same x."""
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    spread = weights @ (x * x) / total - mean_x**2
    together = weights @ (x * y) / total - mean_x * mean_y
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread > 1e-12, together / spread, np.nan)
    return mean_y - slope * mean_x, slope


def trend(
    x: Sequence[float], y: Sequence[float], seeds: Sequence[int], *, at: Sequence[float], generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """A least-squares line with its band: Student's t times the bootstrap's standard error.

    Args:
        x: of each network.
        y: of each network.
        seeds: of each network.
        at: where to evaluate the line.
        generator: the source of the resampling.

    Returns:
        The line, its lower and its upper bound at each of `at`.
    """
    xs, ys, positions = (np.asarray(values, dtype=float) for values in (x, y, at))
    intercept, slope = _weighted_line(np.ones((1, len(xs))), xs, ys)
    lines = np.column_stack(_weighted_line(draws(seeds, generator), xs, ys))
    lines = lines[np.isfinite(lines[:, 1])]
    half = _times(seeds) * (lines[:, :1] + lines[:, 1:] * positions).std(axis=0)
    line = intercept[0] + slope[0] * positions
    return line, line - half, line + half


def _ranks(weights: Array, values: Array) -> Array:
    """Ranks of the values in each resample, ties sharing their mean rank, `(resamples, networks)`."""
    below = (values[None, :] < values[:, None]).astype(float)
    equal = (values[None, :] == values[:, None]).astype(float)
    return np.asarray(weights @ below.T + (weights @ equal.T + 1) / 2)


def _rank_correlations(weights: Array, x: Array, y: Array) -> Array:
    ranks = [_ranks(weights, values) for values in (x, y)]
    total = weights.sum(axis=1, keepdims=True)
    first, second = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in ranks)
    power = (weights * first * first).sum(axis=1) * (weights * second * second).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 1e-9, (weights * first * second).sum(axis=1) / np.sqrt(power), np.nan)


def spearman(x: Sequence[float], y: Sequence[float], seeds: Sequence[int], generator: np.random.Generator) -> Interval:
    """Spearman's rank correlation with an interval; nothing for fewer than six networks or without spread.

    The interval is the wider of two: from the bootstrap's standard error, on the scale of Fisher's z, and Bonett and
    Wright's, which takes networks as independent.

    Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations",
    Psychometrika 2000.

    Args:
        x: of each network.
        y: of each network.
        seeds: of each network.
        generator: the source of the resampling.
    """
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(xs) < FEWEST_RANKED:
        return NOTHING
    value = float(_rank_correlations(np.ones((1, len(xs))), xs, ys)[0])
    if not abs(value) < 1:
        return Interval(value, math.nan, math.nan, "no interval") if abs(value) == 1 else NOTHING
    resampled = _rank_correlations(draws(seeds, generator), xs, ys)
    usable = resampled[np.isfinite(resampled)]
    # Resamples of few networks may be in perfect order, with an infinite z.
    half = _times(seeds) * float(np.arctanh(usable.clip(-0.999, 0.999)).std()) if len(usable) else math.inf
    low, high = (math.tanh(math.atanh(value) + sign * half) for sign in (-1, 1))
    wide = interval_of_independent(value, len(xs))
    return Interval(value, min(wide.low, low), max(wide.high, high), _basis(seeds))


def interval_of_independent(correlation: float, count: int) -> Interval:
    """Bonett and Wright's interval of a rank correlation of `count` independent networks; `count` > 3."""
    if not abs(correlation) < 1:
        return Interval(correlation, math.nan, math.nan, "no interval")
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    low, high = (math.tanh(math.atanh(correlation) + sign * half) for sign in (-1, 1))
    return Interval(correlation, low, high, "independent networks")


def _by_seed(values: Sequence[float], seeds: Sequence[int]) -> dict[int, Array]:
    every, of_seed = np.asarray(values, dtype=float), np.asarray(seeds)
    return {int(seed): every[of_seed == seed] for seed in np.unique(of_seed)}


def seed_mean(values: Sequence[float], seeds: Sequence[int]) -> Interval:
    """The mean over seeds of the mean within a seed, with Student's t interval over seeds; of one seed over networks.

    Args:
        values: of each network.
        seeds: of each network.
    """
    groups = _by_seed(values, seeds)
    if len(groups) > 1:
        return interval_over_seeds([float(group.mean()) for group in groups.values()])
    if not groups:
        return NOTHING
    mean = interval_over_seeds(next(iter(groups.values())))
    return Interval(mean.value, mean.low, mean.high, "networks of one seed" if len(values) > 1 else "one network")


def seed_difference(
    first: tuple[Sequence[float], Sequence[int]], second: tuple[Sequence[float], Sequence[int]]
) -> Interval:
    """The difference of two means as of `seed_mean`, paired by the seeds that both groups have.

    With one seed the interval is over the networks, if each group has at least two.

    Args:
        first: values and seeds of the networks of the first group.
        second: values and seeds of the networks of the second group.
    """
    ours, theirs = _by_seed(*first), _by_seed(*second)
    shared = sorted(set(ours) & set(theirs))
    if len(shared) > 1:
        return interval_over_seeds([float(ours[seed].mean() - theirs[seed].mean()) for seed in shared])
    if not shared:
        return NOTHING
    sides = ours[shared[0]], theirs[shared[0]]
    value = float(sides[0].mean() - sides[1].mean())
    errors = [Error(float(side.var(ddof=1)) / len(side), len(side) - 1) for side in sides if len(side) > 1]
    half = half_width(errors) if len(errors) == len(sides) else 0.0
    low, high = (value - half, value + half) if half else (math.nan, math.nan)
    return Interval(value, low, high, "networks of one seed")
