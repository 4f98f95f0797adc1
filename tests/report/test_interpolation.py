"""Interpolated fronts, by hand and against a plain recomputation."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.report.interpolation import interpolated_interval, interpolation_weights
from roco.report.statistics import RESAMPLES, difference_interval, mean_interval


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
    assert math.isnan(interpolated_interval([], np.random.default_rng(0)).value)


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
    groups = [np.array([(1.0, 0.5 + gain, 1e9), (-1.0, 0.5, 1e9)]) for gain in (0.1, 0.2, 0.3)]
    found = interpolated_interval(groups, np.random.default_rng(0))
    assert (found.value, found.effect) == (pytest.approx(0.2), pytest.approx(2.0))
    assert (found.low, found.high) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.3, abs=1e-3))
    assert found.basis == "seeds and test images"
    alone = interpolated_interval(groups[:1], np.random.default_rng(0))
    assert math.isnan(alone.effect)
    assert alone.basis == "test images of one seed"


def test_a_network_that_both_found_cancels() -> None:
    shared = np.array([(0.0, 0.7, 10.0)])
    found = interpolated_interval([shared, shared], np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_the_bootstraps_cost_grows_with_the_seeds_and_not_with_their_square() -> None:
    class Counting:
        """A generator that counts what it is asked for."""

        def __init__(self) -> None:
            self.generator, self.drawn = np.random.default_rng(0), 0

        def __getattr__(self, name: str) -> object:
            def call(*arguments: object, **named: object) -> object:
                found = getattr(self.generator, name)(*arguments, **named)
                self.drawn += np.size(found)
                return found

            return call

    drawn = {}
    for seeds in (4, 8):
        generator = Counting()
        groups = [np.array([(0.5, 100), (0.6, 100)])] * seeds
        mean_interval(groups, generator)
        difference_interval(groups, groups, generator)
        drawn[seeds] = generator.drawn
    assert drawn[8] == 2 * drawn[4]
    # For each seed: which seed, which two networks, and their images; twice of the latter two for a difference.
    assert drawn[4] == 4 * RESAMPLES * (1 + 2 * 2 + 1 + 2 * 2 * 2)
