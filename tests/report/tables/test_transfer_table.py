from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from roco.report.figures.transfer_matrix import matrix


def test_shares_and_intervals_are_those_of_the_counts(made: SimpleNamespace) -> None:
    numbers = pd.read_csv(made.folder / "tables" / "transfer.csv")
    assert len(numbers) == 8
    row = numbers.set_index(["norm", "threshold", "source", "target"]).loc[("linf", 3, "resnet", "lenet")]
    assert (row.images, row.fooled, row.noise) == (30, 6, 1)
    assert (row.share, row.noise_share) == pytest.approx((0.2, 1 / 30))
    # Wilson's interval of 6 in 30, from his formula by hand: (0.2 + 1.92/30 -+ 1.96 sqrt(0.16/30 + 0.96/900)) / 1.128
    assert (row.low, row.high) == pytest.approx((0.0951, 0.3731), abs=1e-3)


def test_the_table_has_a_row_for_each_source_and_a_dash_for_nothing(made: SimpleNamespace) -> None:
    table = made.tables["transfer"]
    assert table.header == ("Norm", "Threshold", "Made on", "fools LeNet", "fools ResNet")
    rows = {row[:3]: row[3:] for row in table.rows}
    assert len(rows) == 2 * 4 * 2
    assert rows["L∞", "1", "LeNet"] == ("–", "50.0 (23.7–76.3; noise 10.0)")
    assert rows["L0", "3", "ResNet"] == ("–", "–")
    # A threshold of the configuration that no file has.
    assert rows["L0", "10", "ResNet"] == ("–", "–")


def test_the_matrix_has_sources_as_rows_and_noise_last(made: SimpleNamespace) -> None:
    numbers = pd.read_csv(made.folder / "figures" / "transfer_matrix.csv")
    found = matrix(numbers[(numbers["norm"] == "linf") & (numbers["threshold"] == 3)], ["lenet", "resnet"])
    np.testing.assert_allclose(found, [[np.nan, 0.5], [0.2, np.nan], [1 / 30, 1 / 30]])
    nothing = matrix(numbers[(numbers["norm"] == "l0") & (numbers["threshold"] == 3)], ["lenet", "resnet"])
    np.testing.assert_allclose(nothing, [[np.nan, 0.5], [np.nan, np.nan], [np.nan, 1 / 30]])
