"""One number per seed, such as the coefficient of a regression within the seed, and a t interval over the seeds.

A seed's number may be anything that is estimated from its networks alone. Networks of one seed depend on each other,
but seeds do not. So a t interval over their numbers holds with few seeds and with numbers of unequal precision, for
which cluster-robust errors of a pooled regression are too small.

Source: Ibragimov and Müller, "t-statistic based correlation and heterogeneity robust inference", JBES 2010.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roco.report.numbers.shares import Array
from roco.report.numbers.statistics import (
    CONFIDENCE,
    FEWEST_SEEDS,
    NOTHING,
    SEEDS,
    Error,
    Interval,
    half_width,
    holm,
    interval_over_seeds,
    quantile,
)


@dataclass(frozen=True)
class OverSeeds:
    """The mean of a number over seeds, and how many seeds have a number."""

    interval: Interval
    seeds: int

    @property
    def tested(self) -> tuple[float, float, float, str, float]:
        """The estimate, its bounds, what they cover, and the p-value."""
        return *self.interval.bounds, self.interval.basis, self.interval.p


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """The mean over seeds with Student's t interval; seeds without a number (NaN) are left out."""
    known = [value for value in values if math.isfinite(value)]
    return OverSeeds(interval_over_seeds(known), len(known))


def over_seeds_and_images(values: Sequence[float], movements: Sequence[Array]) -> OverSeeds:
    """The mean over seeds of a share of the same images; of one seed over its images.

    The spread of the seeds' values covers everything except what the images move in all seeds alike. That is the
    covariance, as in roco.report.numbers.shares; here each network may count only some of the images.

    Args:
        values: of each seed; seeds without a value (NaN) are left out.
        movements: of each seed, how much each cluster of images moves its value, `(clusters,)`.
    """
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if not finite:
        return OverSeeds(NOTHING, 0)
    known, moved = np.asarray(values, dtype=float)[finite], np.stack([movements[index] for index in finite])
    seeds, clusters = len(known), int((moved != 0).any(axis=0).sum())
    every = float((moved**2).sum())
    alike = (float((moved.sum(axis=0) ** 2).sum()) - every) / (seeds * (seeds - 1)) if seeds > 1 else every
    errors = [Error(max(0.0, alike), max(1, clusters - 1))]
    if seeds > 1:
        errors.append(Error(float(known.var(ddof=1)) / seeds, seeds - 1))
    value, half = float(known.mean()), half_width(errors)
    basis = SEEDS if seeds > 1 else "test images, of these networks alone"
    low, high = (value - half, value + half) if half else (math.nan, math.nan)
    return OverSeeds(Interval(value, low, high, basis if half else f"{basis}, which all agree"), seeds)


def resolved(estimates: Sequence[OverSeeds]) -> list[bool]:
    """Which numbers of one table differ from zero: at 5 % after Holm's correction, with five seeds or more.

    Numbers from fewer seeds cannot be resolved and do not count in the correction.
    """
    tested = [
        index
        for index, estimate in enumerate(estimates)
        if estimate.seeds >= FEWEST_SEEDS and math.isfinite(estimate.interval.p)
    ]
    corrected = dict(zip(tested, holm([estimates[index].interval.p for index in tested]), strict=True))
    return [corrected.get(index, 1.0) < 1 - CONFIDENCE for index in range(len(estimates))]


@dataclass(frozen=True)
class Fit:
    """A least-squares fit with an intercept.

    Attributes:
        coefficients: of the predictors, `(predictors,)`, without the intercept.
        adjusted_r2: the explained share of the variance, minus what as many predictors explain by chance.
        errors: standard errors of the coefficients for residuals of unequal spread (HC3); NaN if a single value decides
            a coefficient.
        freedom: the number of values minus the number of coefficients.
    """

    coefficients: Array
    adjusted_r2: float
    errors: Array
    freedom: int

    def within(self, index: int) -> OverSeeds:
        """A coefficient with the interval within this seed, which takes its networks as independent."""
        value, half = float(self.coefficients[index]), quantile(self.freedom) * float(self.errors[index])
        return OverSeeds(Interval(value, value - half, value + half, "networks of one seed"), 1)


def fit(predictors: Sequence[Array], values: Array, *, freedom: int) -> Fit | None:
    """The least-squares fit of values on predictors and an intercept.

    Source: of the standard errors MacKinnon and White, "Some heteroskedasticity-consistent covariance matrix estimators
    with improved finite sample properties", J. Econometrics 1985.

    Args:
        predictors: each `(n,)`.
        values: `(n,)`.
        freedom: how many more values than coefficients (with the intercept) are necessary.

    Returns:
        None if there are too few values or no predictors, all values are equal, or the predictors are dependent.
    """
    left = len(values) - len(predictors) - 1
    if not predictors or left < max(1, freedom):
        return None
    columns = np.column_stack(predictors)
    scale = columns.std(axis=0)
    if (scale == 0).any() or float(np.ptp(values)) == 0:
        return None
    design = np.column_stack([np.ones(len(values)), (columns - columns.mean(axis=0)) / scale])
    if np.linalg.matrix_rank(design, tol=1e-6) < design.shape[1]:
        return None
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ values
    residuals = values - design @ coefficients
    # The fit follows a value with a leverage of 1 whatever it is, so that its error is unknown.
    left_over = 1 - (design * inverse.T).sum(axis=1)
    left_over[left_over < 1e-6] = np.nan
    errors = np.sqrt(((inverse * residuals / left_over) ** 2).sum(axis=1))
    unexplained = float((residuals**2).sum()) / left / float(values.var(ddof=1))
    return Fit(coefficients[1:] / scale, 1 - unexplained, errors[1:] / scale, left)


def coefficient(fits: Sequence[Fit], index: int) -> OverSeeds:
    """The mean of a coefficient over the fits of the seeds; of a single seed with the interval within it."""
    return fits[0].within(index) if len(fits) == 1 else over_seeds([float(each.coefficients[index]) for each in fits])
