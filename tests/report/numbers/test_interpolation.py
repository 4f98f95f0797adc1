"""Interpolated fronts, by hand and against a plain recomputation."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from roco.report.numbers.contrasts import TRAINED_ONCE, interpolated_interval
from roco.report.numbers.interpolation import interpolation_weights


def test_weights_by_hand() -> None:
    # Common range 100 to 10000; at 100, 1000, 10000 the first has 0, 1/2, 1 of its second network, the other its own.
    weights = interpolation_weights([100, 10_000], [10, 100, 1000, 10_000, 10**6])
    assert weights is not None
    assert weights[0] == pytest.approx([0.5, 0.5])
    assert weights[1] == pytest.approx([0, -1 / 3, -1 / 3, -1 / 3, 0])


def test_networks_of_equal_flops_are_one_point() -> None:
    weights = interpolation_weights([100, 100, 200], [100, 200])
    assert weights is not None
    assert weights[0] == pytest.approx([0.25, 0.25, 0.5])


def test_fronts_without_a_common_range_say_nothing() -> None:
    assert interpolation_weights([1, 2], [3, 4]) is None
    assert interpolation_weights([], [3, 4]) is None
    assert math.isnan(interpolated_interval([], np.ones(1)).value)


flops = st.lists(st.integers(1, 10**6), min_size=1, max_size=6)


@given(flops, flops, st.randoms(use_true_random=False))
def test_the_weighted_sum_is_the_difference_of_interpolated_fronts(one: list[int], two: list[int], random: Any) -> None:
    weights = interpolation_weights(one, two)
    low, high = max(min(one), min(two)), min(max(one), max(two))
    assert (weights is None) == (low > high)
    if weights is None:
        return
    accuracies = [[random.random() for _ in values] for values in (one, two)]
    curves = []
    for values, found in zip((one, two), accuracies, strict=True):
        points = sorted(set(values))
        means = [np.mean([a for v, a in zip(values, found, strict=True) if v == point]) for point in points]
        places = sorted({value for value in one + two if low <= value <= high})
        curves.append(np.interp(np.log(places), np.log(points), means))
    assert weights[0] @ accuracies[0] + weights[1] @ accuracies[1] == pytest.approx(np.mean(curves[0] - curves[1]))
    assert (weights[0].sum(), weights[1].sum()) == (pytest.approx(1), pytest.approx(-1))


def test_interval_and_effect_size_over_seeds() -> None:
    # Differences of 0.1, 0.2 and 0.3 on so many images that they add nothing: mean 0.2, standard deviation 0.1.
    sizes = np.full(3, 1e6)
    groups = [[(1.0, (0.5 + gain) * sizes[None]), (-1.0, 0.5 * sizes[None])] for gain in (0.1, 0.2, 0.3)]
    found = interpolated_interval(groups, sizes)
    assert (found.value, found.effect) == (pytest.approx(0.2), pytest.approx(2.0))
    half = student.isf(0.025, 2) * 0.1 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((0.2 - half, 0.2 + half))
    assert found.basis == "seeds and test images"
    assert interpolated_interval(groups[:1], sizes).basis == TRAINED_ONCE


def test_one_seed_varies_the_retrainings_and_images_of_all_networks_with_a_weight() -> None:
    sizes = np.full(3, 1e6)
    # 0.5 and 0.9, 0.4 twice; the third is beyond the common range.
    group = [
        (0.5, np.outer([0.5, 0.9], sizes)),
        (-1.0, np.outer([0.4, 0.4], sizes)),
        (0.5, np.outer([0.6, 0.6], sizes)),
    ]
    found = interpolated_interval([[*group, (0.0, np.outer([0.0, 1.0], sizes))]], sizes)
    assert found.value == pytest.approx(0.35 - 0.4 + 0.3)
    pooled, freedom = 0.08 / 3, 3
    half = student.isf(0.025, freedom) * math.sqrt(pooled * (0.25 + 1 + 0.25) / 2)
    assert found.high - found.value == pytest.approx(half)
    assert found.basis == "retrainings and test images of one seed"


def test_a_network_that_both_found_cancels() -> None:
    shared = [(0.0, np.array([[1.0, 0.0, 1.0]]))]
    found = interpolated_interval([shared, shared], np.ones(3))
    assert (found.value, math.isnan(found.low)) == (0, True)
