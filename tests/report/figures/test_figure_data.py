import numpy as np
import pandas as pd
import pytest

from roco.report.figures.points import POINT, with_trends


def points(accuracy: list[float], seeds: list[int]) -> pd.DataFrame:
    """Retrained networks of one search with FLOPs that grow by half."""
    rows = [
        {"search": "roco", "seed": seed, "slot": 0, "key": str(i), "metric": "pgd", "accuracy": value}
        | {"flops": int(1e7 * 1.5**i), "parameters": 1000, "low": value - 0.1, "high": value + 0.1}
        for i, (value, seed) in enumerate(zip(accuracy, seeds, strict=True))
    ]
    return pd.DataFrame(rows).reindex(columns=POINT)


def test_a_trend_is_drawn_with_its_band() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 12)
    found = with_trends(points((0.2 + 0.03 * np.arange(12) + noise).tolist(), [0, 1, 2] * 4))
    line = found[found["kind"] == "trend"]
    assert line["accuracy"].is_monotonic_increasing
    assert ((line["low"] <= line["accuracy"]) & (line["accuracy"] <= line["high"])).all()
    assert line["accuracy"].iloc[[0, -1]].tolist() == pytest.approx([0.2, 0.53], abs=0.03)


@pytest.mark.parametrize(
    ("accuracy", "seeds"),
    [([0.2, 0.3, 0.4], [0, 0, 0]), ([0.1, 0.9, 0.2, 0.8], [0, 1, 2, 3])],
    ids=["three networks", "a band that says nothing"],
)
def test_there_is_no_trend_where_networks_tell_none(accuracy: list[float], seeds: list[int]) -> None:
    found = with_trends(points(accuracy, seeds))
    assert set(found["kind"]) == {"network"}
    assert len(found) == len(accuracy)
