import math

import numpy as np
import pytest
from scipy import stats

from roco.report.numbers.over_seeds import OverSeeds, fit, over_seeds, over_seeds_and_images, resolved
from roco.report.numbers.statistics import FEWEST_SEEDS, Interval


def test_the_interval_is_students_by_hand() -> None:
    over = over_seeds([1.0, math.nan, 2.0, 6.0])
    found, half = over.interval, stats.t.ppf(0.975, 2) * math.sqrt(7.0 / 3)
    assert (found.value, over.seeds) == (3.0, 3)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(3 / math.sqrt(7 / 3), 2))


def test_seeds_without_a_number_are_left_out_and_one_seed_has_no_interval() -> None:
    assert over_seeds([math.nan]).seeds == 0
    one = over_seeds([math.nan, 0.25])
    assert (one.interval.value, one.seeds) == (0.25, 1)
    assert math.isnan(one.interval.low)
    assert math.isnan(one.interval.p)
    # Nor have seeds that agree to the last digit.
    assert math.isnan(over_seeds([0.5, 0.5, 0.5]).interval.low)


def test_nothing_is_resolved_below_five_seeds_and_those_do_not_count_as_tests() -> None:
    sure, unsure = (Interval(1.0, 0.1, 1.9, "seeds", p=p) for p in (1e-6, 0.03))
    few, many = (OverSeeds(sure, seeds) for seeds in (FEWEST_SEEDS - 1, FEWEST_SEEDS))
    assert resolved([few, many]) == [False, True]
    near = OverSeeds(unsure, FEWEST_SEEDS)
    assert resolved([near, few]) == [True, False]
    assert resolved([near, near]) == [False, False]


def test_a_fit_gives_what_made_the_values() -> None:
    generator = np.random.default_rng(0)
    one, two = generator.normal(size=(2, 40)) * [[3.0], [1e-3]]
    found = fit([one, two], 5 + 2 * one - 700 * two, freedom=10)
    assert found is not None
    assert found.coefficients == pytest.approx([2, -700])
    assert found.adjusted_r2 == pytest.approx(1)
    # As many as are demanded, and no fewer: three coefficients and ten.
    assert fit([one[:13], two[:13]], one[:13], freedom=10) is not None
    assert fit([one[:12], two[:12]], one[:12], freedom=10) is None


@pytest.mark.parametrize("other", [lambda one: 2 * one + 1, np.zeros_like, lambda one: one + 1e-9 * one**2])
def test_predictors_that_cannot_be_told_apart_have_no_fit(other) -> None:
    one = np.random.default_rng(1).normal(size=30)
    assert fit([one, other(one)], one**2, freedom=2) is None


def test_one_value_alone_in_its_group_gives_no_error() -> None:
    generator = np.random.default_rng(4)
    alone = np.array([1.0, *[0.0] * 11])
    found = fit([alone, generator.normal(size=12)], generator.normal(size=12), freedom=2)
    assert found is not None
    assert math.isnan(found.within(0).interval.low)
    assert math.isnan(found.within(0).interval.high)


def test_errors_within_a_seed_hold_where_the_spread_is_unequal() -> None:
    generator = np.random.default_rng(2)
    x = np.linspace(0, 1, 60) ** 3
    missed = 0
    for _ in range(1500):
        found = fit([x], generator.normal(size=60) * (0.1 + x), freedom=2)
        assert found is not None
        interval = found.within(0).interval
        missed += interval.low > 0 or interval.high < 0
    # Four standard errors around 5 % are 2.7 to 7.3 %; errors that take one spread for all miss 20 %.
    assert 0.02 < missed / 1500 < 0.075


def test_means_of_regressions_of_few_seeds_keep_their_promise() -> None:
    """Networks of a seed share what their seed did, and some seeds are far noisier than others."""
    generator = np.random.default_rng(3)
    missed = {2: 0, 3: 0, 5: 0}
    for seeds in missed:
        for _ in range(800):
            slopes = []
            for _ in range(seeds):
                x, families = generator.normal(size=30), generator.integers(5, size=30)
                x += generator.normal(size=5)[families]
                noise = generator.normal(size=30) + 2 * generator.normal(size=5)[families]
                found = fit([x], generator.exponential() * noise, freedom=2)
                slopes.append(found.coefficients[0] if found else math.nan)
            interval = over_seeds(slopes).interval
            missed[seeds] += interval.low > 0 or interval.high < 0
    assert all(count / 800 < 0.075 for count in missed.values()), missed


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
@pytest.mark.parametrize("alike", [0.0, 3.0])
def test_shares_of_images_that_all_seeds_saw_keep_their_promise(seeds: int, alike: float) -> None:
    """The same clusters of images are hard for the networks of all seeds; seeds differ too."""
    generator, missed, clusters = np.random.default_rng([seeds, int(alike)]), 0, 30
    sizes = generator.integers(1, 9, size=clusters).astype(float)
    for _ in range(800):
        of_images = alike * generator.normal(size=clusters)
        of_seeds = generator.normal(size=(seeds, 1)) * (seeds > 1)
        rows = sizes * (of_seeds + of_images + generator.normal(size=(seeds, clusters)))
        values = rows.sum(axis=1) / sizes.sum()
        movements = (rows - values[:, None] * sizes) / sizes.sum() * math.sqrt(clusters / (clusters - 1))
        found = over_seeds_and_images(values.tolist(), list(movements)).interval
        missed += found.low > 0 or found.high < 0
    assert missed / 800 < 0.08
