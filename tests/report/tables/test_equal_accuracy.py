"""Searches at equal FLOPs and equal clean accuracy, on accuracies whose making is known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fabricated_study import config_of

from roco.report.measures.differences import compared_measures
from roco.report.numbers.over_seeds import over_seeds
from roco.report.tables.equal_accuracy import EQUAL_ACCURACY
from roco.report.tables.equal_accuracy import make as equal_accuracy

GAIN = 0.03


def made_up(*, seeds: int, networks: int, gain: float, noise: float) -> pd.DataFrame:
    """Robust accuracy follows clean accuracy and FLOPs; roco's networks are heavier and more accurate, and gain."""
    generator, rows = np.random.default_rng(11), []
    for seed in range(seeds):
        for search in ("baseline", "roco"):
            ours = search == "roco"
            for slot in range(networks):
                flops = int(2 ** (25 + ours + generator.random()))
                clean = 0.8 + 0.05 * ours + 0.05 * generator.random()
                # What a seed moves in all of its networks is in neither search's favour.
                pgd = 0.02 * seed + gain * ours + 0.6 * clean - 0.04 * np.log2(flops) + noise * generator.normal() + 0.8
                row = {"search": search, "seed": seed, "slot": slot, "flops": flops}
                rows += [row | {"metric": "test", "accuracy": clean}, row | {"metric": "pgd", "accuracy": pgd}]
    return pd.DataFrame(rows)


def test_only_what_clean_accuracy_and_flops_do_not_account_for_is_left(
    made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = made_up(seeds=5, networks=6, gain=GAIN, noise=0.0)
    monkeypatch.setattr("roco.report.tables.equal_accuracy.compared_measures", lambda *_: (measured, ["test", "pgd"]))
    table = equal_accuracy(made.study, config_of(seeds=range(5)))
    assert list(table.numbers.columns) == EQUAL_ACCURACY
    assert set(table.numbers["metric"]) == {"pgd"}
    numbers = table.numbers.set_index("held_equal")
    pgd = measured[measured["metric"] == "pgd"].groupby(["seed", "search"])["accuracy"].mean().unstack()
    assert numbers.loc["nothing", "difference"] == pytest.approx((pgd["roco"] - pgd["baseline"]).mean())
    assert numbers.loc["flops_and_clean", "difference"] == pytest.approx(GAIN)
    assert abs(numbers.loc["flops", "difference"] - GAIN) > 0.01
    assert (numbers["networks"] == 60).all()
    assert (numbers["seeds"] == 5).all()


def test_intervals_and_verdicts_are_over_seeds(made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    for gain, star in ((GAIN, True), (0.0, False)):
        measured = made_up(seeds=5, networks=8, gain=gain, noise=0.003)
        made_of = (measured, ["test", "pgd"])
        monkeypatch.setattr("roco.report.tables.equal_accuracy.compared_measures", lambda *_, made_of=made_of: made_of)
        table = equal_accuracy(made.study, config_of(seeds=range(5)))
        alone = []
        for _, part in measured.groupby("seed"):
            pgd, clean = (part[part["metric"] == name] for name in ("pgd", "test"))
            columns = [np.ones(16), pgd["search"] == "roco", np.log2(pgd["flops"]), clean["accuracy"]]
            alone.append(np.linalg.lstsq(np.column_stack(columns).astype(float), pgd["accuracy"], rcond=None)[0][1])
        expected, row = over_seeds(alone).interval, table.numbers.set_index("held_equal").loc["flops_and_clean"]
        found = (row["difference"], row["low"], row["high"])
        assert found == pytest.approx((expected.value, expected.low, expected.high))
        assert row["resolved"] is star
        assert ("*" in table.rows[0][5]) is star
        assert table.numbers.set_index("held_equal").loc["flops", "resolved"] is None


def test_of_a_study_every_metric_has_a_row_and_few_seeds_no_verdict(made: SimpleNamespace) -> None:
    table = made.tables["equal_accuracy"]
    measured, names = compared_measures(made.study, made.config)
    assert set(table.numbers["metric"]) == set(names) - {"test"}
    # Attacks without a budget are measured, and not compared by what they leave.
    assert set(measured["metric"]) - set(names) == {"deepfool", "cw"}
    # The main comparison's measure is among them: a radius of the curve.
    assert names[0].startswith("radius_")
    assert set(table.numbers["seeds"]) == {3}
    assert True not in table.numbers["resolved"].to_list()
    assert table.numbers["low"].notna().all()


def test_one_seed_is_named_and_too_few_networks_too(made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(seeds=[0])
    measured = made_up(seeds=1, networks=6, gain=GAIN, noise=0.003)
    monkeypatch.setattr("roco.report.tables.equal_accuracy.compared_measures", lambda *_: (measured, ["test", "pgd"]))
    table = equal_accuracy(made.study, config)
    assert set(table.numbers["basis"]) == {"networks of one seed"}
    assert "It says nothing about another run" in " ".join(table.notes)
    few = measured[measured["slot"] < 2]
    monkeypatch.setattr("roco.report.tables.equal_accuracy.compared_measures", lambda *_: (few, ["test", "pgd"]))
    table = equal_accuracy(made.study, config)
    assert table.rows == ()
    assert "No seed has enough retrained networks of two searches: 2 of each and 6 in all" in " ".join(table.notes)
