"""Intervals and p-values from counts and from one value per seed. No files, no wording.

Accuracies are fractions. Networks are rows of counts as in shares.py.
The networks of one seed of a search, and their trainings, are not independent. So each seed gives one value, and
Student's t the interval over seeds. The test images, which all seeds share, are the second source of error. The result
of a single seed says nothing beyond that run.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from roco.report.numbers.shares import (
    Array,
    Counts,
    independent_images,
    mean_of,
    of_network,
    shared_variance,
    values_of,
    variance_of,
)

CONFIDENCE = 0.95
# With fewer seeds nothing is concluded: Student's t takes their values as normal, which so few cannot show.
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; NaN if it cannot be estimated.

    Attributes:
        value: the estimate.
        low: the lower bound.
        high: the upper bound.
        basis: the sources of error that the interval covers.
        effect: of a difference: its mean over seeds divided by its standard deviation over seeds (Cohen's d of paired
            values); NaN for fewer than two seeds, or if all seeds agree.
        p: of a difference over seeds: the two-sided p-value, without correction.
        deviation: of a difference: its standard deviation over seeds.
    """

    value: float
    low: float
    high: float
    basis: str
    effect: float = math.nan
    p: float = math.nan
    deviation: float = math.nan

    @property
    def bounds(self) -> tuple[float, float, float]:
        """The estimate, its lower and its upper bound."""
        return self.value, self.low, self.high

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside; False without an interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Error:
    """A source of error: its estimated variance, and the degrees of freedom of this estimate."""

    variance: float
    freedom: float


NOTHING = Interval(math.nan, math.nan, math.nan, "no data")
SEEDS = "seeds and test images"


def in_words(parts: Sequence[str]) -> str:
    """A list in words: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def quantile(freedom: float, tail: float = (1 - CONFIDENCE) / 2) -> float:
    """The quantile of Student's t with this probability above it."""
    return -float(stdtrit(freedom, tail))


def half_width(errors: Sequence[Error], tail: float = (1 - CONFIDENCE) / 2) -> float:
    """The half width of the interval of a sum of independent errors; its coverage holds for any variances.

    Source: Banerjee, "Approximate confidence interval for linear functions of means of k populations when the
    population variances are not equal", Sankhya 1960.
    """
    return math.sqrt(sum(quantile(error.freedom, tail) ** 2 * error.variance for error in errors if error.variance > 0))


def p_value(value: float, errors: Sequence[Error]) -> float:
    """The p-value of a value: twice the tail at which its interval touches zero; NaN without any error."""
    if not any(error.variance > 0 for error in errors):
        return math.nan

    def beyond(tail: float) -> float:
        return half_width(errors, tail) - abs(value)

    smallest = 1e-12
    if beyond(smallest) < 0:
        return 2 * smallest
    return 1.0 if value == 0 else 2 * float(brentq(beyond, smallest, 0.5))


def wilson(correct: int, images: int) -> Interval:
    """The share `correct / images` with Wilson's score interval.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    if not images:
        return NOTHING
    return Interval(correct / images, *_wilson(correct / images, images, NormalDist().inv_cdf(0.975)), "test images")


def _wilson(share: float, images: float, z: float) -> tuple[float, float]:
    """Wilson's bounds for this many independent images; for infinitely many the share itself."""
    if math.isinf(images):
        return share, share
    shrink = 1 + z * z / images
    centre = (share + z * z / (2 * images)) / shrink
    half = z * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images)) / shrink
    # At 0 and 1 the bound is exact; rounding would miss it slightly.
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    return low, 1.0 if share >= 1 else min(1.0, centre + half)


def _of_images(rows: Array, sizes: Array) -> tuple[float, float, float]:
    """The mean share of some rows, and Wilson's bounds over the images that they share."""
    share = float(values_of(rows, sizes).mean())
    images = independent_images(rows, sizes)
    # If each image is a cluster, the share itself gives the variance.
    known = len(rows) == 1 and bool((sizes == 1).all())
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) if known else quantile(max(1, len(sizes) - 1))
    return share, *_wilson(share, images, z)


def _share_interval(rows: Array, sizes: Array, basis: str) -> Interval:
    """The mean share of units; their spread and the error of the shared images are added in squares."""
    share, low, high = _of_images(rows, sizes)
    spread = Error(float(values_of(rows, sizes).var(ddof=1)) / len(rows), len(rows) - 1) if len(rows) > 1 else None
    half = half_width([spread]) if spread else 0.0
    below, above = math.hypot(half, share - low), math.hypot(half, high - share)
    return Interval(share, max(0.0, share - below), min(1.0, share + above), basis)


def network_interval(counts: Counts, sizes: Array) -> Interval:
    """A single network's share: the mean over its retrainings, with an interval over these and the images.

    With one retraining it is Wilson's interval over the images, which says nothing about another training.

    Args:
        counts: `(retrainings, clusters)`.
        sizes: images of each cluster, `(clusters,)`.
    """
    if not counts.size or not sizes.sum():
        return NOTHING
    basis = "retrainings and test images" if len(counts) > 1 else "test images, of this training alone"
    return _share_interval(np.asarray(counts, dtype=np.float64), sizes, basis)


def mean_interval(groups: Sequence[Sequence[Counts]], sizes: Array) -> Interval:
    """The mean over seeds of the mean within a seed, over seeds and images; of one seed over its networks and images.

    Args:
        groups: for each seed its networks, each `(retrainings, clusters)`; seeds without networks are left out.
        sizes: images of each cluster, `(clusters,)`.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    if len(groups) > 1:
        return _share_interval(np.stack([mean_of(group) for group in groups]), sizes, SEEDS)
    if len(groups[0]) == 1:
        return network_interval(groups[0][0], sizes)
    rows = np.stack([of_network(counts) for counts in groups[0]])
    return _share_interval(rows, sizes, "networks and test images of one seed")


def interval_over_seeds(values: Sequence[float] | Array) -> Interval:
    """The mean of one value per seed with Student's t interval; without an interval for one seed or equal values.

    Args:
        values: `(seeds,)`.
    """
    of_seeds = np.asarray(values, dtype=float)
    if len(of_seeds) < 2:
        return Interval(float(of_seeds[0]), math.nan, math.nan, "one seed") if len(of_seeds) else NOTHING
    return _symmetric(of_seeds, [], "seeds")


def seeds_interval(rows: Sequence[Array], sizes: Array) -> Interval:
    """A difference over two seeds or more: Student's t, and the error of the images that all seeds share.

    Args:
        rows: the difference within each seed, a weighted sum of networks' rows, `(clusters,)`.
        sizes: images of each cluster, `(clusters,)`.
    """
    every = np.stack(rows)
    images = Error(shared_variance(every, sizes), max(1, len(sizes) - 1))
    return _of_shares(_symmetric(values_of(every, sizes), [images], SEEDS))


def _of_shares(interval: Interval) -> Interval:
    """The interval of a difference of two shares, which lies between -1 and 1."""
    return replace(interval, low=float(np.clip(interval.low, -1, 1)), high=float(np.clip(interval.high, -1, 1)))


def _symmetric(of_seeds: Array, others: Sequence[Error], basis: str) -> Interval:
    value, deviation = float(of_seeds.mean()), float(of_seeds.std(ddof=1))
    # Values that differ by rounding alone agree.
    if deviation < 1e-12:
        return Interval(value, math.nan, math.nan, f"{basis}, which all agree", deviation=0.0)
    errors = [Error(deviation**2 / len(of_seeds), len(of_seeds) - 1), *others]
    half = half_width(errors)
    return Interval(value, value - half, value + half, basis, value / deviation, p_value(value, errors), deviation)


def run_interval(row: Array, sizes: Array, errors: Sequence[Error], basis: str) -> Interval:
    """A difference within one run, over what varies within it; it says nothing about another run.

    Args:
        row: the difference, a weighted sum of networks' rows, `(clusters,)`.
        sizes: images of each cluster, `(clusters,)`.
        errors: the sources of error beside the images.
        basis: all sources in words.
    """
    value = float(row.sum() / sizes.sum())
    half = half_width([*errors, Error(variance_of(row, sizes), max(1, len(sizes) - 1))])
    if not half:
        return alone(row, sizes, f"{basis}, which all agree")
    return _of_shares(Interval(value, value - half, value + half, basis))


def alone(row: Array, sizes: Array, basis: str) -> Interval:
    """A difference without an interval."""
    return Interval(float(row.sum() / sizes.sum()), math.nan, math.nan, basis)


def of_retrainings(weighted: Sequence[tuple[float, Counts]], sizes: Array) -> Error:
    """The error of a weighted sum of networks through their retrainings, whose variance is pooled over networks."""
    values = [values_of(np.asarray(counts, dtype=np.float64), sizes) for _, counts in weighted]
    freedom = sum(len(shares) - 1 for shares in values)
    squares = sum(float(((shares - shares.mean()) ** 2).sum()) for shares in values)
    scale = sum(weight**2 / len(shares) for (weight, _), shares in zip(weighted, values, strict=True))
    return Error(squares / freedom * scale, freedom) if freedom else Error(0.0, 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values: without any difference, the probability of a single star or more is below 5 %.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 1979.
    """
    order = np.argsort(np.asarray(p_values, dtype=float), kind="stable")
    factors = np.arange(len(order), 0, -1)
    raised = np.minimum(1, np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors))
    corrected = np.empty(len(order))
    corrected[order] = raised
    return [float(value) for value in corrected]
