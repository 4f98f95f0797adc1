"""How two measured numbers go together: fitted trends, rank correlations, means of features; with bootstrap intervals.

The networks that a search found with one seed are not independent of one another, so seeds are drawn with replacement,
and within each the networks. A network's value is the mean over its retrainings: how far retrainings and test images
move it is part of how networks scatter, which drawing networks shows already.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from roco.report.resampling import Array
from roco.report.statistics import CONFIDENCE, NOTHING, RESAMPLES, Interval

# Fewer points have no trend that is worth a line, and no rank correlation that could be told from chance.
FEWEST = 4
FEWEST_RANKED = 6


def draws(seeds: Sequence[int], generator: np.random.Generator) -> Array:
    """How often each network is in each resample, `(RESAMPLES, networks)`.

    Args:
        seeds: the seed of each network.
        generator: the source of the resampling.
    """
    of_network = np.asarray(seeds)
    names = np.unique(of_network)
    times = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)
    weights = np.zeros((RESAMPLES, len(of_network)))
    for place, name in enumerate(names):
        members = np.flatnonzero(of_network == name)
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = generator.multinomial(times[:, place] * len(members), share)
    return weights


def _interval(value: float, found: Array, basis: str) -> Interval:
    """Percentiles of the resamples in which there was something to estimate."""
    usable = found[np.isfinite(found)]
    if not np.isfinite(value) or not len(usable):
        return NOTHING
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(usable, [tail, 100 - tail])
    return Interval(value, float(low), float(high), basis)


def _basis(seeds: Sequence[int]) -> str:
    return "seeds and networks" if len(set(seeds)) > 1 else "networks of one seed"


def _weighted_line(weights: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Intercepts and slopes of least-squares lines, one a row of weights; NaN where all points share one x."""
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
    """A least-squares line with its bootstrap band.

    Args:
        x: of each network.
        y: of each network.
        seeds: of each network.
        at: where to evaluate the line.
        generator: the source of the resampling.

    Returns:
        The line, its lower and its upper bound at each place of `at`.
    """
    one, two, places = (np.asarray(values, dtype=float) for values in (x, y, at))
    intercept, slope = _weighted_line(np.ones((1, len(one))), one, two)
    lines = np.column_stack(_weighted_line(draws(seeds, generator), one, two))
    lines = lines[np.isfinite(lines[:, 1])]
    band = lines[:, :1] + lines[:, 1:] * places
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(band, [tail, 100 - tail], axis=0)
    return intercept[0] + slope[0] * places, low, high


def _ranks(weights: Array, values: Array) -> Array:
    """Ranks of the values in each resample, ties sharing their mean rank, `(resamples, networks)`."""
    below = (values[None, :] < values[:, None]).astype(float)
    equal = (values[None, :] == values[:, None]).astype(float)
    return np.asarray(weights @ below.T + (weights @ equal.T + 1) / 2)


def _rank_correlations(weights: Array, x: Array, y: Array) -> Array:
    ranks = [_ranks(weights, values) for values in (x, y)]
    total = weights.sum(axis=1, keepdims=True)
    one, two = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in ranks)
    power = (weights * one * one).sum(axis=1) * (weights * two * two).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 1e-9, (weights * one * two).sum(axis=1) / np.sqrt(power), np.nan)


def spearman(x: Sequence[float], y: Sequence[float], seeds: Sequence[int], generator: np.random.Generator) -> Interval:
    """Spearman's rank correlation with an interval; nothing for fewer than six networks or without spread.

    The interval is the wider, at each end, of a percentile bootstrap, which is too narrow for few networks, and of
    Bonett and Wright's, which takes networks as independent.

    Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations",
    Psychometrika 2000.

    Args:
        x: of each network.
        y: of each network.
        seeds: of each network.
        generator: the source of the resampling.
    """
    one, two = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(one) < FEWEST_RANKED:
        return NOTHING
    value = float(_rank_correlations(np.ones((1, len(one))), one, two)[0])
    found = _interval(value, _rank_correlations(draws(seeds, generator), one, two), _basis(seeds))
    if not abs(value) < 1:
        return found
    wide = interval_of_independent(value, len(one))
    return Interval(value, min(wide.low, found.low), max(wide.high, found.high), found.basis)


def interval_of_independent(correlation: float, count: int) -> Interval:
    """Bonett and Wright's interval of a rank correlation of `count` independent networks, more than three."""
    if not abs(correlation) < 1:
        return Interval(correlation, math.nan, math.nan, "no interval")
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    low, high = (math.tanh(math.atanh(correlation) + sign * half) for sign in (-1, 1))
    return Interval(correlation, low, high, "independent networks")


def _means(weights: Array, values: Array, seeds: np.ndarray[Any, Any]) -> Array:
    """The mean over seeds of the mean within a seed, one a row of weights."""
    names, place = np.unique(seeds, return_inverse=True)
    sizes = np.bincount(place)[place]
    return np.asarray(weights @ (values / sizes) / len(names))


def seed_mean(values: Sequence[float], seeds: Sequence[int], generator: np.random.Generator) -> Interval:
    """The mean over seeds of the mean within a seed, with a percentile bootstrap; a single value has no interval.

    Args:
        values: of each network.
        seeds: of each network.
        generator: the source of the resampling.
    """
    if not len(values):
        return NOTHING
    found, places = np.asarray(values, dtype=float), np.asarray(seeds)
    value = float(_means(np.ones((1, len(found))), found, places)[0])
    if len(found) == 1:
        return Interval(value, np.nan, np.nan, "one network")
    return _interval(value, _means(draws(seeds, generator), found, places), _basis(seeds))


def seed_difference(
    first: tuple[Sequence[float], Sequence[int]],
    second: tuple[Sequence[float], Sequence[int]],
    generator: np.random.Generator,
) -> Interval:
    """The difference of two means as of `seed_mean`, over the seeds that both have, drawn once for both.

    Args:
        first: values and seeds of the one group's networks.
        second: those of the other's.
        generator: the source of the resampling.
    """
    shared = sorted(set(first[1]) & set(second[1]))
    groups = [
        [np.asarray([v for v, s in zip(*side, strict=True) if s == seed], dtype=float) for seed in shared]
        for side in (first, second)
    ]
    if not shared or sum(map(len, groups[0])) + sum(map(len, groups[1])) < 3:
        return NOTHING
    value = float(np.mean([one.mean() - two.mean() for one, two in zip(*groups, strict=True)]))
    times = generator.multinomial(len(shared), np.full(len(shared), 1 / len(shared)), size=RESAMPLES)
    total = np.zeros(RESAMPLES)
    for sign, side in zip((1, -1), groups, strict=True):
        for place, group in enumerate(side):
            counts = generator.multinomial(times[:, place] * len(group), np.full(len(group), 1 / len(group)))
            total += sign * (counts @ group) / len(group)
    return _interval(value, total / len(shared), _basis(shared))
