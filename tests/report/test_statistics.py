import math
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roco.report.statistics import (
    Interval,
    difference_interval,
    hypervolumes,
    interval_over_seeds,
    mean_interval,
    newcombe,
    pair_by_flops,
    paired_interval,
    wilson,
)


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(correct: int, images: int, low: float, high: float) -> None:
    # Source: Newcombe 1998 (Stat. Med. 17, 857), Table I, method 3.
    found = wilson(correct, images)
    assert found.value == correct / images
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_newcombe_gives_the_published_interval() -> None:
    # Source: Newcombe 1998 (Stat. Med. 17, 873), Table II, 56/70 against 48/80, method 10.
    found = newcombe(wilson(56, 70), wilson(48, 80))
    assert found.value == pytest.approx(0.2)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_no_images_give_no_interval() -> None:
    assert math.isnan(wilson(0, 0).value)
    assert not wilson(0, 0).excludes_zero


@given(images=st.integers(1, 2000), share=st.floats(0, 1))
def test_wilson_holds_its_value_inside_the_unit_interval(images: int, share: float) -> None:
    found = wilson(round(share * images), images)
    assert 0 <= found.low <= found.value <= found.high <= 1


def _group(*accuracies: float, images: int = 10**6) -> np.ndarray:
    return np.array([(accuracy, images) for accuracy in accuracies])


def test_mean_weighs_seeds_alike_whatever_their_number_of_networks() -> None:
    found = mean_interval([_group(0.5, 0.5, 0.5, 0.5), _group(0.9), np.empty((0, 2))], np.random.default_rng(0))
    assert found.value == pytest.approx(0.7)
    assert found.low < 0.51
    assert found.high > 0.89
    assert found.basis == "seeds, networks and test images"


def test_mean_of_one_seed_varies_networks_and_images_only() -> None:
    exact = mean_interval([_group(0.5, 0.5)], np.random.default_rng(0))
    assert exact.high - exact.low < 0.005
    noisy = mean_interval([_group(0.5, 0.5, images=50)], np.random.default_rng(0))
    # Two networks of 50 images: a standard error of 0.05, so about 0.5 ± 0.098.
    assert noisy.high - noisy.low == pytest.approx(0.196, abs=0.03)
    assert noisy.basis == "networks of one seed and test images"


def test_the_same_generator_gives_the_same_interval_and_another_another() -> None:
    groups = [_group(0.4, 0.6, images=100), _group(0.5, images=100)]
    first, again, other = (mean_interval(groups, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert astuple(first) == astuple(again)
    assert astuple(first) != astuple(other)


def test_difference_is_paired_by_seed() -> None:
    # Seeds differ by 0.4, searches by 0.1 in each: pairing takes the seeds' spread out.
    first, second = [_group(0.3), _group(0.7)], [_group(0.2), _group(0.6)]
    found = difference_interval(first, second, np.random.default_rng(0))
    assert found.value == pytest.approx(0.1)
    assert 0.09 < found.low < found.high < 0.11
    assert found.excludes_zero


def test_difference_leaves_out_seeds_without_both() -> None:
    found = difference_interval([_group(0.3), _group(0.9)], [_group(0.2), np.empty((0, 2))], np.random.default_rng(0))
    assert found.value == pytest.approx(0.1)


def test_a_pair_of_the_same_network_adds_no_noise() -> None:
    same = np.array([(0.6, 20, 0.6, 20, 1)])
    found = paired_interval([same, same], np.random.default_rng(0))
    assert astuple(found) == astuple(Interval(0, 0, 0, "seeds, pairs and test images"))
    other = np.array([(0.6, 20, 0.6, 20, 0)])
    assert paired_interval([other, other], np.random.default_rng(0)).high > 0.1


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


def _population(rows: list[tuple[str, int, str, float, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["search", "generation", "status", "error", "flops"])
    return table.assign(seed=0, evaluations=4)


def test_hypervolume_by_hand() -> None:
    # Scaled by the range of all successful networks: (0, 1), (1, 0), (0.5, 0.5). With the reference at (1.1, 1.1) the
    # first two cover 0.11 + 0.11 - 0.01 = 0.21, all three 0.46 (0.36 in the middle, of which 0.11 is new), of 1.21.
    rows = [("a", 0, "ok", 0.1, 30.0), ("a", 0, "ok", 0.3, 10.0), ("a", 0, "failed", 1.0, 5.0)]
    rows += [
        ("a", 1, "ok", 0.1, 30.0),
        ("a", 1, "ok", 0.3, 10.0),
        ("a", 1, "ok", 0.2, 20.0),
        ("b", 0, "failed", 1.0, 1.0),
    ]
    found = hypervolumes(_population(rows), ["error", "flops"])
    volumes = {(row.search, row.generation): row.hypervolume for row in found.itertuples()}
    assert volumes["a", 0] == pytest.approx(0.21 / 1.21)
    assert volumes["a", 1] == pytest.approx(0.46 / 1.21)
    assert volumes["b", 0] == 0


def test_hypervolume_of_equal_networks_and_of_nothing() -> None:
    assert hypervolumes(_population([("a", 0, "ok", 0.2, 5.0)]), ["error", "flops"])["hypervolume"].tolist() == [
        pytest.approx(1.0)
    ]
    assert hypervolumes(_population([]), ["error", "flops"]).empty


def test_interval_over_seeds() -> None:
    found = interval_over_seeds(np.array([0.1, 0.2, 0.3]), np.random.default_rng(0))
    assert found.value == pytest.approx(0.2)
    # A mean of three draws is all of the smallest in one draw of 27, which is more than the 2.5 % of a tail.
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.3))
    assert math.isnan(interval_over_seeds(np.array([0.4]), np.random.default_rng(0)).low)
    assert not interval_over_seeds(np.array([]), np.random.default_rng(0)).excludes_zero
