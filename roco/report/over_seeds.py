"""What one number of each seed says together: a t interval over seeds. No bootstrap, and nothing within a seed.

A seed's number may be anything that is estimated from that seed's networks alone, a coefficient of a regression too.
Seeds are independent, whatever ties networks of one seed together, and so a t interval over their numbers holds with
few seeds and with numbers of unequal precision, for which the usual cluster-robust errors of one pooled regression are
too small.

Source: Ibragimov and Müller, "t-statistic based correlation and heterogeneity robust inference", JBES 2010.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from roco.report.statistics import CONFIDENCE

Array = np.ndarray[Any, np.dtype[np.float64]]

# With fewer seeds an interval is shown, but nothing is called resolved.
FEWEST_SEEDS = 5


@dataclass(frozen=True)
class OverSeeds:
    """The mean of a number over seeds.

    Attributes:
        value: the mean; NaN where no seed has a number.
        low: the lower bound of its 95 % interval; NaN for fewer than two seeds.
        high: the upper bound.
        p: of the two-sided t test against zero; NaN for fewer than two seeds.
        seeds: how many seeds have a number.
        basis: what the interval covers; empty where there is none.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: int
    basis: str = ""


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """The mean over seeds with Student's t interval; seeds without a number (NaN) are left out."""
    found = np.asarray([value for value in values if math.isfinite(value)], dtype=float)
    if not len(found):
        return OverSeeds(math.nan, math.nan, math.nan, math.nan, 0)
    value = float(found.mean())
    # Numbers that differ by rounding alone have no spread to tell anything by.
    if len(found) == 1 or float(np.ptp(found)) < 1e-12:
        return OverSeeds(value, math.nan, math.nan, math.nan, len(found))
    test = stats.ttest_1samp(found, 0.0)
    interval = test.confidence_interval(CONFIDENCE)
    return OverSeeds(value, float(interval.low), float(interval.high), float(test.pvalue), len(found), "seeds")


def over_seeds_and_images(values: Sequence[float], movements: Sequence[Array]) -> OverSeeds:
    """The mean over seeds of a share of images that all seeds were measured on; of one seed over its images.

    The spread of the seeds' values holds all but what the images move alike in all of them, which is their covariance.
    The two errors are added so that the interval covers what it claims whatever they are.

    Source: of the covariance Obuchowski and Rockette, Commun. Stat. Simul. 1995 (readers are seeds here); of the sum
    Banerjee, Sankhya 1960.

    Args:
        values: of each seed; seeds without one (NaN) are left out.
        movements: of each seed, how much each cluster of images moves its value, `(clusters,)`.
    """
    there = [place for place, value in enumerate(values) if math.isfinite(value)]
    if not there:
        return over_seeds([])
    found, moved = np.asarray(values, dtype=float)[there], np.stack([movements[place] for place in there])
    seeds, clusters = len(found), int((moved != 0).any(axis=0).sum())
    alike = float((moved.sum(axis=0) ** 2).sum() - (moved**2).sum()) / (seeds * (seeds - 1)) if seeds > 1 else 0.0
    errors = [(max(0.0, alike) if seeds > 1 else float((moved**2).sum()), clusters - 1)]
    if seeds > 1:
        errors.append((float(found.var(ddof=1)) / seeds, seeds - 1))
    half = math.sqrt(sum(_quantile(freedom) ** 2 * variance for variance, freedom in errors if variance > 0))
    value, basis = float(found.mean()), "seeds and test images" if seeds > 1 else "test images, of these networks alone"
    if not half:
        return OverSeeds(value, math.nan, math.nan, math.nan, seeds)
    return OverSeeds(value, value - half, value + half, math.nan, seeds, basis)


def _quantile(freedom: int) -> float:
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, max(1, freedom)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values: that any of them is below 0.05 has a chance of 5 % where nothing differs.

    NaN stays NaN and is not counted.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 1979.
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if math.isfinite(p))
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, (p, place) in enumerate(tested):
        largest = max(largest, min(1.0, p * (len(tested) - rank)))
        adjusted[place] = largest
    return adjusted


def resolved(found: Sequence[OverSeeds]) -> list[bool]:
    """Which numbers of one table differ from zero: at 5 % after Holm's correction, with five seeds or more."""
    enough = [one.p if one.seeds >= FEWEST_SEEDS else math.nan for one in found]
    return [p < 1 - CONFIDENCE for p in holm(enough)]


@dataclass(frozen=True)
class Fit:
    """A least-squares fit with an intercept.

    Attributes:
        coefficients: of the predictors, `(predictors,)`; the intercept is left out.
        adjusted_r2: the share of the variance that it explains, less what as many predictors explain by chance.
        errors: standard errors of the coefficients, which hold for residuals of unequal spread (HC3).
        freedom: how many more values than coefficients there are.
    """

    coefficients: Array
    adjusted_r2: float
    errors: Array
    freedom: int

    def within(self, place: int) -> OverSeeds:
        """A coefficient with the interval of this one seed, which takes its networks as independent."""
        value, half = float(self.coefficients[place]), _quantile(self.freedom)
        half *= float(self.errors[place])
        return OverSeeds(value, value - half, value + half, math.nan, 1, "networks of one seed")


def fit(predictors: Sequence[Array], values: Array, *, freedom: int) -> Fit | None:
    """The least-squares fit of values on predictors and an intercept.

    Source: of the standard errors MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix estimators
    with improved finite sample properties", J. Econometrics 1985.

    Args:
        predictors: each `(n,)`.
        values: `(n,)`.
        freedom: how many more values than coefficients, the intercept one of them, there have to be.

    Returns:
        None where the values are too few or all equal, or one predictor follows from the others.
    """
    left = len(values) - len(predictors) - 1
    if left < max(1, freedom):
        return None
    columns = np.column_stack(predictors)
    scale = columns.std(axis=0)
    if (scale == 0).any() or float(np.ptp(values)) == 0:
        return None
    design = np.column_stack([np.ones(len(values)), (columns - columns.mean(axis=0)) / scale])
    if np.linalg.matrix_rank(design, tol=1e-6) < design.shape[1]:
        return None
    inverse = np.linalg.pinv(design)
    found = inverse @ values
    residuals = values - design @ found
    # A value that its own fit follows exactly has a leverage of 1, and a residual of nothing.
    leverage = np.minimum((design * inverse.T).sum(axis=1), 1 - 1e-9)
    errors = np.sqrt(((inverse * residuals / (1 - leverage)) ** 2).sum(axis=1))
    unexplained = float((residuals**2).sum()) / left / float(values.var(ddof=1))
    return Fit(found[1:] / scale, 1 - unexplained, errors[1:] / scale, left)


def coefficient(fits: Sequence[Fit], place: int) -> OverSeeds:
    """A coefficient over the seeds' own fits; of a single seed with the interval within it."""
    return fits[0].within(place) if len(fits) == 1 else over_seeds([float(one.coefficients[place]) for one in fits])
