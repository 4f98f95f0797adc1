"""Retrainings of a network as one value and its interval: by hand, and against a plain recomputation."""

import math
from collections import Counter
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.report.interpolation import interpolated_interval
from roco.report.perturbation_statistics import mean_of_medians
from roco.report.resampling import group_of, redrawn, values_of
from roco.report.statistics import (
    difference_interval,
    mean_interval,
    network_interval,
    newcombe,
    paired_interval,
    wilson,
)

# So many images that they add nothing.
MANY = 10**9
accuracies = st.lists(st.integers(0, 50).map(lambda correct: correct / 50), min_size=1, max_size=4)


def test_a_networks_value_is_the_mean_of_its_retrainings() -> None:
    group = group_of([((0.2, 0.4, 0.9), 10), ((0.7,), 10)])
    np.testing.assert_array_equal(group, [[0.2, 0.4, 0.9, 10], [0.7, math.nan, math.nan, 10]])
    assert values_of(group) == pytest.approx([0.5, 0.7])


def test_retrainings_are_drawn_with_replacement_as_many_as_there_are() -> None:
    group = group_of([((0.0, 0.3, 0.9), MANY), ((0.5, 0.7), MANY)])
    chosen = np.tile([0, 1], (20_000, 1))
    found = redrawn(group, chosen, np.random.default_rng(0)).round(3)
    for column, values in ((0, (0.0, 0.3, 0.9)), (1, (0.5, 0.7))):
        # Every way to draw them is as likely.
        expected = Counter(round(float(np.mean(drawn)), 3) for drawn in product(values, repeat=len(values)))
        counted = Counter(found[:, column].tolist())
        assert set(counted) == set(expected)
        for value, ways in expected.items():
            share = ways / len(values) ** len(values)
            assert counted[value] / 20_000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))


def test_images_are_drawn_once_for_all_retrainings() -> None:
    # Three retrainings of one accuracy: the noise is that of 50 images, not of 150.
    chosen = np.zeros((20_000, 1), dtype=np.int64)
    spreads = [
        redrawn(group_of([(values, 50)]), chosen, np.random.default_rng(0)).std() for values in ((0.5,) * 3, (0.5,))
    ]
    assert spreads == pytest.approx([math.sqrt(0.25 / 50)] * 2, rel=0.03)


def test_a_single_networks_interval_adds_both_errors_in_squares() -> None:
    generator = np.random.default_rng(0)
    assert astuple(network_interval([0.4], 50, generator)) == astuple(wilson(20, 50))
    found, images = network_interval([0.2, 0.6], 50, generator), wilson(20, 50)
    # Of two retrainings, both draws are the smaller one in a quarter of the resamples: the bounds are 0.2 and 0.6.
    assert found.value == pytest.approx(0.4)
    assert found.low == pytest.approx(0.4 - math.hypot(0.2, 0.4 - images.low))
    assert found.high == pytest.approx(0.4 + math.hypot(0.2, images.high - 0.4))
    assert found.basis == "retrainings and test images"
    # Where nothing is right in any of them, the images still say how sure that is.
    assert network_interval([0.0, 0.0], 50, generator).high == pytest.approx(wilson(0, 50).high)


@given(accuracies)
def test_an_interval_holds_its_value_and_is_no_narrower_than_that_of_the_images(values: list[float]) -> None:
    found = network_interval(values, 50, np.random.default_rng(0))
    images = network_interval([found.value], 50, np.random.default_rng(0))
    assert 0 <= found.low <= images.low <= found.value <= images.high <= found.high <= 1
    if len(set(values)) == 1:
        assert (found.low, found.high) == pytest.approx((images.low, images.high))


def test_differences_of_single_networks_take_both_intervals() -> None:
    one, two = (network_interval(values, 50, np.random.default_rng(0)) for values in ([0.5, 0.7], [0.4]))
    found = newcombe(one, two)
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - math.hypot(one.value - one.low, two.high - two.value))
    assert found.basis == "retrainings and test images"


def test_the_mean_of_a_search_takes_the_spread_over_retrainings_in() -> None:
    # One network in each of two seeds, with retrainings 0.4 and 0.6 in both: seeds and networks add nothing.
    groups = [group_of([((0.4, 0.6), MANY)])] * 2
    found = mean_interval(groups, np.random.default_rng(0))
    assert found.value == pytest.approx(0.5)
    # Four draws of 0.4 or 0.6: all alike in 1 of 16, which is more than the 2.5 % of a tail.
    assert (found.low, found.high) == (pytest.approx(0.4, abs=1e-3), pytest.approx(0.6, abs=1e-3))
    assert found.basis == "seeds, networks, retrainings and test images"
    alike = mean_interval([group_of([((0.5, 0.5), MANY)])] * 2, np.random.default_rng(0))
    assert alike.high - alike.low < 1e-3


def test_differences_take_the_spread_over_retrainings_in_and_the_same_network_has_none() -> None:
    first, second = [group_of([((0.5, 0.9), MANY)])] * 2, [group_of([((0.4,), MANY)])] * 2
    found = difference_interval(first, second, np.random.default_rng(0))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.5, abs=1e-3))
    sides = group_of([((0.5, 0.9), MANY), ((0.4,), MANY)])
    pair = np.hstack([sides[:1], sides[1:], [[0.0]]])
    paired = paired_interval([pair, pair], np.random.default_rng(0))
    assert (paired.value, paired.low) == (pytest.approx(0.3), pytest.approx(0.1, abs=1e-3))
    assert paired.basis == "seeds, pairs, retrainings and test images"
    same = np.hstack([sides[:1], sides[:1], [[1.0]]])
    nothing = paired_interval([same, same], np.random.default_rng(0))
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_interpolated_fronts_take_the_spread_over_retrainings_in() -> None:
    networks = group_of([((0.5, 0.9), MANY), ((0.4, 0.4), MANY)])
    group = np.column_stack([[1.0, -1.0], networks])
    found = interpolated_interval([group, group], np.random.default_rng(0))
    assert found.value == pytest.approx(0.3)
    assert (found.low, found.high) == (pytest.approx(0.1, abs=1e-3), pytest.approx(0.5, abs=1e-3))
    assert found.basis == "seeds, retrainings and test images"


def test_more_retrainings_narrow_the_interval() -> None:
    generator = np.random.default_rng(3)
    widths = []
    for count in (2, 4, 16):
        values = generator.normal(0.5, 0.05, (40, count)).clip(0, 1)
        intervals = [network_interval(one, MANY, np.random.default_rng(0)) for one in values.tolist()]
        widths.append(np.mean([one.high - one.low for one in intervals]))
    assert widths[0] > widths[2]
    # The standard error of a mean of 16: 0.05 / 4, and the bootstrap's interval about 1.96 of that to both sides.
    assert widths[2] == pytest.approx(2 * 1.96 * 0.05 / 4, rel=0.1)


def test_medians_of_retrainings_are_averaged_and_drawn() -> None:
    near, far = np.full(2001, 1.0), np.full(2001, 3.0)
    found = mean_of_medians([[[near, far]]], purpose="two")
    # Both draws are the same one in half of the resamples.
    assert (found.value, found.low, found.high) == (2.0, 1.0, 3.0)
    assert found.basis == "retrainings and test images"
    several = mean_of_medians([[[near, far], [near]], [[far]]], purpose="several")
    assert several.value == pytest.approx(np.mean([np.mean([2.0, 1.0]), 3.0]))
    assert several.basis == "seeds, networks, retrainings and test images"


def test_images_of_medians_are_drawn_once_for_all_retrainings() -> None:
    distances = np.sort(np.random.default_rng(0).random(101))
    one, three = (mean_of_medians([[[distances] * count]], purpose="same") for count in (1, 3))
    assert (three.value, three.low, three.high) == pytest.approx((one.value, one.low, one.high), abs=0.02)
