import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_1samp, ttest_rel

from roco.report.numbers.contrasts import TRAINED_ONCE, difference_interval, pair_by_flops, paired_interval
from roco.report.numbers.power import power, seeds_needed
from roco.report.numbers.statistics import (
    Error,
    half_width,
    holm,
    interval_over_seeds,
    mean_interval,
    network_interval,
    p_value,
    wilson,
)

# So many images in each cluster that all have one share of them right: the images add nothing.
MANY = np.full(20, 10.0**6)


def _network(*accuracies: float) -> np.ndarray:
    """A network of so many images that their luck is nothing, `(retrainings, 20)`."""
    return np.array(accuracies)[:, None] * MANY


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(correct: int, images: int, low: float, high: float) -> None:
    # Source: Newcombe 1998 (Stat. Med. 17, 857), Table I, method 3.
    found = wilson(correct, images)
    assert found.value == correct / images
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_no_images_give_no_interval() -> None:
    assert math.isnan(wilson(0, 0).value)
    assert not wilson(0, 0).excludes_zero


@given(images=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_holds_its_value_inside_the_unit_interval(images: int, share: float) -> None:
    found = wilson(round(share * images), images)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_means_and_differences_over_seeds_are_students_t() -> None:
    ours, theirs = [0.52, 0.47, 0.55, 0.51, 0.49], [0.50, 0.46, 0.50, 0.51, 0.44]
    first, second = ([[_network(value)] for value in values] for values in (ours, theirs))
    found, expected = difference_interval(first, second, MANY), ttest_rel(ours, theirs)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    gains = np.subtract(ours, theirs)
    assert (found.deviation, found.effect) == pytest.approx((gains.std(ddof=1), gains.mean() / gains.std(ddof=1)))
    assert found.basis == "seeds and test images"
    mean = mean_interval(first, MANY)
    assert (mean.low, mean.high) == pytest.approx(tuple(ttest_1samp(ours, 0).confidence_interval(0.95)))


def test_a_seed_is_one_value_whatever_its_number_of_networks_and_retrainings() -> None:
    first = [[_network(0.5, 0.7), _network(0.4), _network(0.5)], [_network(0.9)], [], [_network(0.3)]]
    second = [[_network(0.4)], [_network(0.7), _network(0.9, 0.9)], [_network(0.1)], []]
    found = difference_interval(first, second, MANY)
    assert found.value == pytest.approx(np.mean([0.5 - 0.4, 0.9 - 0.8]))
    assert found.deviation == pytest.approx(0)
    assert mean_interval(first, MANY).value == pytest.approx(np.mean([0.5, 0.9, 0.3]))


def test_pairing_by_seed_takes_out_what_the_seeds_share() -> None:
    first, second = [[_network(0.31)], [_network(0.7)]], [[_network(0.2)], [_network(0.6)]]
    found = difference_interval(first, second, MANY)
    assert found.value == pytest.approx(0.105)
    assert found.high - found.value == pytest.approx(student.isf(0.025, 1) * 0.005)


def test_two_shares_differ_by_one_at_most() -> None:
    found = difference_interval([[_network(0.9)], [_network(0.4)]], [[_network(0.1)], [_network(0.3)]], MANY)
    assert found.value == pytest.approx(0.45)
    assert (found.low, found.high) == (-1, 1)


def test_images_that_all_networks_share_stay_whatever_the_number_of_seeds() -> None:
    # All networks agree on each of 100 images: the mean is known no better than one network's share.
    marks = (np.arange(100) < 40).astype(float)[None, :]
    one = network_interval(marks, np.ones(100))
    many = mean_interval([[marks] * 3] * 10, np.ones(100))
    assert (one.low, one.high) == (wilson(40, 100).low, wilson(40, 100).high)
    assert (many.low, many.high) == pytest.approx((one.low, one.high), abs=0.002)


def test_images_of_one_source_are_one_draw() -> None:
    # 20 sources of 10 images each, all right or all wrong: no better than 20 images.
    counts, sizes = np.repeat([10.0, 0.0], 10)[None, :], np.full(20, 10.0)
    found, few = network_interval(counts, sizes), wilson(10, 20)
    assert (found.low, found.high) == pytest.approx((few.low, few.high), abs=0.02)
    # Sources that agree by halves are as good as nothing but noise around a half.
    assert network_interval(np.full((1, 20), 5.0), sizes).high == pytest.approx(0.5)


def test_where_nothing_is_right_the_images_still_say_how_sure_that_is() -> None:
    nothing = np.zeros((2, 50))
    assert network_interval(nothing, np.ones(50)).high == pytest.approx(wilson(0, 50).high, abs=0.005)
    assert mean_interval([[nothing]] * 5, np.ones(50)).high == pytest.approx(wilson(0, 50).high, abs=0.005)
    alike = difference_interval([[nothing]] * 5, [[nothing]] * 5, np.ones(50))
    assert (alike.value, alike.basis) == (0, "seeds and test images, which all agree")
    assert math.isnan(alike.low)
    assert not alike.excludes_zero


def test_one_seed_says_what_varies_within_it_and_one_training_has_no_interval_of_a_difference() -> None:
    first, second = [_network(0.5, 0.6), _network(0.4, 0.5)], [_network(0.3, 0.4), _network(0.2, 0.5)]
    within = difference_interval([first], [second], MANY)
    values = [np.array([0.55, 0.45]), np.array([0.35, 0.35])]
    errors = [Error(side.var(ddof=1) / 2, 1) for side in values]
    assert within.value == pytest.approx(0.15)
    assert within.high - within.value == pytest.approx(half_width(errors))
    assert within.basis == "networks and test images of one seed"
    assert math.isnan(within.p)
    once = [[counts[:1] for counts in side] for side in (first, second)]
    for found in (
        difference_interval([once[0]], [once[1]], MANY),
        paired_interval([list(zip(*once, strict=True))], MANY),
    ):
        assert found.value == pytest.approx(0.2)
        assert (math.isnan(found.low), found.basis) == (True, TRAINED_ONCE)
    pairs = paired_interval([list(zip(first, second, strict=True))], MANY)
    # 0.2 and 0.1.
    assert pairs.high - pairs.value == pytest.approx(student.isf(0.025, 1) * 0.05)
    assert pairs.basis == "pairs and test images of one seed"


def test_a_single_networks_interval_is_that_of_its_retrainings() -> None:
    found = network_interval(_network(0.4, 0.42, 0.5), MANY)
    expected = ttest_1samp([0.4, 0.42, 0.5], 0).confidence_interval(0.95)
    assert found.value == pytest.approx(0.44)
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert network_interval(_network(0.1, 0.9), MANY).high == 1
    assert found.basis == "retrainings and test images"
    assert network_interval(_network(0.2), MANY).basis == "test images, of this training alone"
    single = paired_interval([[(_network(0.5, 0.7), _network(0.4, 0.4))]], MANY)
    # Pooled variance of 0.02 / 2 with 2 degrees of freedom, of two means of two.
    assert single.high - single.value == pytest.approx(student.isf(0.025, 2) * math.sqrt(0.01 * (1 / 2 + 1 / 2)))
    assert single.basis == "retrainings and test images of one seed"


def test_a_pair_of_the_same_network_adds_nothing() -> None:
    marks = np.random.default_rng(0).integers(0, 2, (2, 30)).astype(float)
    other = np.random.default_rng(1).integers(0, 2, (2, 30)).astype(float)
    found = paired_interval([[(marks, marks)], [(marks, marks)]], np.ones(30))
    assert (found.value, math.isnan(found.low)) == (0, True)
    alone = paired_interval([[(marks, marks)]], np.ones(30))
    assert alone.basis == "one network that both found"
    mixed = paired_interval([[(marks, marks), (other, marks)], [(marks, marks)]], np.ones(30))
    assert mixed.value == pytest.approx((other.mean() - marks.mean()) / 4)


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=12, max_size=12), min_size=1, max_size=4),
    st.lists(st.integers(1, 4), min_size=12, max_size=12),
)
def test_a_networks_interval_holds_its_value_within_the_unit_interval(rows: list[list[int]], sizes: list[int]) -> None:
    counts, images = np.array(rows) * np.array(sizes), np.array(sizes, dtype=float)
    found = network_interval(counts, images)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.value == pytest.approx(counts.sum() / len(rows) / images.sum())


def test_banerjees_interval_and_its_p_value_agree() -> None:
    errors = [Error(0.04, 3), Error(0.01, 50)]
    half = half_width(errors)
    assert half == pytest.approx(math.sqrt(student.isf(0.025, 3) ** 2 * 0.04 + student.isf(0.025, 50) ** 2 * 0.01))
    assert p_value(half, errors) == pytest.approx(0.05)
    assert p_value(-half, errors) == pytest.approx(0.05)
    assert p_value(0, errors) == 1
    assert p_value(1e9, errors) < 1e-10
    assert math.isnan(p_value(0.1, []))


def test_holm_by_hand() -> None:
    # Times 4, 3, 2, 1 by rising p, and never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_seeds_needed_by_the_noncentral_t() -> None:
    # statsmodels' TTestPower gives 19.67 and 5.06 for 0.8.
    assert (seeds_needed(0.02, 0.03), seeds_needed(0.05, 0.03)) == (20, 6)
    assert power(0.02, 0.03, 20) > 0.8 > power(0.02, 0.03, 19)
    assert power(0, 0.03, 7) == pytest.approx(0.05)
    for deviation in np.linspace(0.001, 0.2, 60):
        few, many = seeds_needed(0.05, deviation), seeds_needed(0.02, deviation)
        assert few is not None
        assert few <= (many or 1000)
        assert power(0.05, deviation, few) >= 0.8
    assert (seeds_needed(0.5, 0.001), seeds_needed(0.02, 0.0), seeds_needed(0.02, 5.0)) == (5, 5, None)


def test_the_power_is_how_often_a_difference_is_resolved() -> None:
    gains = np.random.default_rng(0).normal(0.05, 0.03, (2000, 6))
    resolved = np.mean([interval_over_seeds(one).excludes_zero for one in gains])
    assert resolved == pytest.approx(power(0.05, 0.03, 6), abs=3 * math.sqrt(0.09 / 2000))


def test_interval_over_seeds_is_students_and_reaches_beyond_the_values() -> None:
    found = interval_over_seeds([0.1, 0.2, 0.3])
    expected = ttest_1samp([0.1, 0.2, 0.3], 0)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.p == pytest.approx(expected.pvalue)
    # Of two values the interval is far wider than they are apart.
    two = interval_over_seeds([0.1, 0.2])
    assert (two.low, two.high) == pytest.approx((0.15 - 12.706 * 0.05, 0.15 + 12.706 * 0.05), abs=1e-3)
    assert math.isnan(interval_over_seeds([0.4]).low)
    assert not interval_over_seeds([]).excludes_zero


def test_the_same_data_give_the_same_interval() -> None:
    groups = [[np.random.default_rng(seed).integers(0, 2, (2, 50)).astype(float)] for seed in range(4)]
    assert astuple(mean_interval(groups, np.ones(50))) == astuple(mean_interval(groups, np.ones(50)))


def test_pairs_are_the_closest_one_to_one_and_within_the_tolerance() -> None:
    # 100-101 is closest; then 210 would want 200 (5 %); 1000 has no partner left.
    assert pair_by_flops([100, 210, 1000], [200, 101]) == [(0, 1), (1, 0)]
    assert pair_by_flops([100, 210, 1000], [200, 101], tolerance=0.02) == [(0, 1)]
    assert pair_by_flops([], [5]) == []


@given(st.lists(st.integers(1, 100), max_size=6), st.lists(st.integers(1, 100), max_size=6))
def test_pairs_use_no_network_twice(first: list[int], second: list[int]) -> None:
    pairs = pair_by_flops(first, second)
    assert len(pairs) == min(len(first), len(second))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
