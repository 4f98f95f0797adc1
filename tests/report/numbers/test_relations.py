import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress, spearmanr, ttest_1samp
from scipy.stats import t as student

from roco.report.numbers.relations import (
    _rank_correlations,
    _weighted_line,
    draws,
    seed_difference,
    seed_mean,
    spearman,
    trend,
)

NUMBERS = st.lists(st.integers(0, 6), min_size=5, max_size=12)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_resample_draws_seeds_with_all_their_networks() -> None:
    weights = draws([3, 3, 3, 8], generator())
    assert (weights[:, :1] == weights[:, :3]).all()
    # Two seeds are drawn in all: the one twice in a quarter of the resamples.
    assert np.array_equal(weights[:, 0] + weights[:, 3], np.full(len(weights), 2.0))
    assert np.mean(weights[:, 0] == 2) == pytest.approx(0.25, abs=0.04)
    of_one = draws([5, 5, 5], generator())
    assert (of_one.sum(axis=1) == 3).all()
    assert len(np.unique(of_one, axis=0)) == 10


@given(NUMBERS, NUMBERS)
def test_a_weighted_rank_correlation_is_that_of_repeated_points(first: list[int], second: list[int]) -> None:
    size = min(len(first), len(second))
    x, y = np.array(first[:size], float), np.array(second[:size], float)
    weights = generator(size).integers(0, 3, size=(1, size)).astype(float)
    one, two = (np.repeat(values, weights[0].astype(int)) for values in (x, y))
    found = _rank_correlations(weights, x, y)[0]
    if len(set(one)) < 2 or len(set(two)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(one, two).statistic, abs=1e-9)


def test_spearman_by_hand_and_its_interval() -> None:
    # Ranks 1 2 3 4 5 6 against 2 1 4 3 6 5: 1 - 6 * 6 / (6 * 35).
    found = spearman([1, 2, 3, 4, 5, 6], [20, 10, 40, 30, 60, 50], [0] * 6, generator())
    assert found.value == pytest.approx(1 - 36 / 210)
    # tanh(atanh(0.82857) - 1.95996 sqrt((1 + 0.82857**2 / 2) / 3)): as wide as six networks ask for.
    assert found.low <= -0.1272
    assert found.value < found.high <= 1
    perfect = spearman([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], [0] * 6, generator())
    assert (perfect.value, np.isnan(perfect.low), perfect.basis) == (pytest.approx(1), True, "no interval")
    assert found.basis == "networks of one seed"
    assert np.isnan(spearman([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [0] * 5, generator()).value)
    assert np.isnan(spearman([1] * 6, [1, 2, 3, 4, 5, 6], [0] * 6, generator()).value)


def test_an_unrelated_pair_has_zero_in_its_interval_and_a_tight_one_has_not() -> None:
    x = generator(1).normal(size=40)
    seeds = np.repeat(range(5), 8).tolist()
    tight = spearman(x.tolist(), (x + 0.1 * generator(2).normal(size=40)).tolist(), seeds, generator())
    loose = spearman(x.tolist(), generator(3).normal(size=40).tolist(), seeds, generator())
    assert tight.excludes_zero
    assert not loose.excludes_zero
    # Of two seeds little is known of others, however many networks they have.
    two = spearman(x.tolist(), (x + generator(2).normal(size=40)).tolist(), [0] * 20 + [1] * 20, generator())
    assert not two.excludes_zero


def test_a_trend_is_the_least_squares_line_within_its_band() -> None:
    x = np.arange(10.0)
    y = 2 + 0.5 * x + generator(4).normal(size=10)
    line, low, high = trend(x.tolist(), y.tolist(), [0] * 10, at=[0.0, 4.5, 9.0], generator=generator())
    expected = linregress(x, y)
    assert line == pytest.approx(expected.intercept + expected.slope * np.array([0.0, 4.5, 9.0]))
    assert np.all(low < line)
    assert np.all(line < high)
    assert high[1] - low[1] < high[0] - low[0]


def test_a_weighted_line_is_that_of_repeated_points() -> None:
    x, y, times = np.array([0.0, 1, 2, 5]), np.array([1.0, 0, 4, 2]), np.array([1, 3, 0, 2])
    intercept, slope = _weighted_line(times[None, :].astype(float), x, y)
    expected = linregress(np.repeat(x, times), np.repeat(y, times))
    assert (intercept[0], slope[0]) == pytest.approx((expected.intercept, expected.slope))
    assert np.isnan(_weighted_line(np.array([[2.0, 0, 0, 0]]), x, y)[1][0])


def test_means_are_over_seeds_of_means_within() -> None:
    found = seed_mean([1, 2, 3, 10, 4, 6], [0, 0, 0, 1, 2, 2])
    expected = ttest_1samp([2, 10, 5], 0).confidence_interval(0.95)
    assert found.value == pytest.approx(17 / 3)
    assert (found.low, found.high, found.basis) == (pytest.approx(expected.low), pytest.approx(expected.high), "seeds")
    of_one = seed_mean([1, 2, 6], [4, 4, 4])
    expected = ttest_1samp([1, 2, 6], 0).confidence_interval(0.95)
    assert (of_one.low, of_one.high) == pytest.approx((expected.low, expected.high))
    assert of_one.basis == "networks of one seed"
    single = seed_mean([4], [0])
    assert (single.value, single.basis) == (4, "one network")
    assert np.isnan(single.low)
    assert np.isnan(seed_mean([], []).value)


def test_differences_are_over_the_seeds_that_both_have() -> None:
    found = seed_difference(([5, 7, 100], [0, 1, 2]), ([1, 1, 2], [0, 0, 1]))
    expected = ttest_1samp([4, 5], 0).confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((4.5, expected.low, expected.high))
    assert np.isnan(seed_difference(([1], [0]), ([1], [1])).value)
    alone = seed_difference(([1], [0]), ([3], [0]))
    assert (alone.value, np.isnan(alone.low)) == (-2, True)
    within = seed_difference(([1, 2, 3], [0] * 3), ([5, 7], [0] * 2))
    # Variances of 1 / 3 and 2 / 2 with 2 and 1 degrees of freedom.
    half = np.sqrt(student.isf(0.025, 2) ** 2 / 3 + student.isf(0.025, 1) ** 2)
    assert (within.value, within.high - within.value) == pytest.approx((-4, half))
