import pandas as pd
import pytest

from roco.search.hypervolume import hypervolumes


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
