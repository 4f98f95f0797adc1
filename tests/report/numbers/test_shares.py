"""Shares of images and how far they move: by hand, and against images drawn anew."""

import math

import numpy as np
import pandas as pd
import pytest

from roco.errors import ArtifactError
from roco.report.measures.measured import over_retrainings, sizes_of
from roco.report.numbers.shares import (
    from_marks,
    independent_images,
    mean_of,
    movements,
    of_network,
    shared_variance,
    values_of,
    variance_of,
)


def test_rows_are_means_over_retrainings_and_then_over_networks() -> None:
    one, two = np.array([[1, 0, 1], [0, 0, 1]]), np.array([[1, 1, 1]])
    assert of_network(one).tolist() == [0.5, 0, 1]
    assert mean_of([one, two]).tolist() == [0.75, 0.5, 1]
    assert from_marks("0110").tolist() == [0, 1, 1, 0]
    sizes = np.array([1.0, 2.0, 1.0])
    assert values_of(np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 0.0]]), sizes).tolist() == [0.75, 0.5]


def test_movements_are_those_of_clusters_drawn_anew() -> None:
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 9, 60).astype(float)
    right = generator.binomial(sizes.astype(int), generator.beta(1, 1, (2, 60))).astype(float)
    drawn = generator.integers(60, size=(20_000, 60))
    shares = right[:, drawn].sum(axis=2) / sizes[drawn].sum(axis=1)
    moved = movements(right, sizes)
    assert moved @ moved.T == pytest.approx(np.cov(shares), rel=0.05, abs=2e-5)
    assert variance_of(right[0], sizes) == pytest.approx(shares[0].var(), rel=0.05)
    assert shared_variance(right, sizes) == pytest.approx(max(0, np.cov(shares)[0, 1]), rel=0.05, abs=2e-5)


def test_what_rows_share_is_their_covariance_and_never_negative() -> None:
    marks = np.array([[1.0, 1, 0, 0], [1, 0, 1, 0]])
    assert shared_variance(np.stack([marks[0], marks[0]]), np.ones(4)) == pytest.approx(0.25 / 4)
    assert shared_variance(marks, np.ones(4)) == 0
    assert shared_variance(np.stack([marks[0], 1 - marks[0]]), np.ones(4)) == 0


def test_independent_images_are_all_of_one_network_and_fewer_where_images_come_in_clusters() -> None:
    marks = (np.arange(100) < 30).astype(float)[None]
    assert independent_images(marks, np.ones(100)) == pytest.approx(100)
    assert independent_images(np.repeat(marks, 5, axis=0), np.ones(100)) == pytest.approx(100)
    whole = np.repeat([0.0, 6.0], [20, 20])[None]
    assert independent_images(whole, np.full(40, 6.0)) == pytest.approx(39)
    # Fewer than ten clusters have a right image: no more is known than as many images as there are clusters.
    few = (np.arange(50) < 2).astype(float) * 0.1
    assert independent_images(few[None], np.ones(50)) == 50
    assert independent_images(np.zeros((3, 50)), np.ones(50)) == 50
    assert math.isinf(independent_images(np.full((1, 50), 0.5), np.ones(50)))


def test_networks_on_different_images_are_refused() -> None:
    place = {"search": "a", "seed": 0, "slot": 0, "metric": "test", "images": 3, "accuracy": 0.5}
    rows = [{**place, "training_seed": seed, "right": np.ones(3 + seed)} for seed in (0, 1)]
    with pytest.raises(ArtifactError, match="trainings of a network were measured on different images"):
        over_retrainings(pd.DataFrame(rows), ["metric"])
    apart = over_retrainings(pd.DataFrame([row | {"slot": row["training_seed"]} for row in rows]), ["metric"])
    with pytest.raises(ArtifactError, match=r"networks were measured on different images \(test\)"):
        sizes_of(apart)
