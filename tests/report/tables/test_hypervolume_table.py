"""Hypervolume as selected and on test data, recomputed from the files of the study."""

import math
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fabricated_study import FabricatedStudy, config_of, fabricate
from pymoo.indicators.hv import HV
from scipy import stats

from roco.report.numbers.format import NO_VALUE
from roco.report.read.collect import collect
from roco.report.tables.hypervolume_test import HYPERVOLUME_TEST
from roco.report.tables.hypervolume_test import make as hypervolume_test
from roco.storage.artifacts import read_json

SEARCHES = {
    "baseline": ["error", "flops"],
    "random": {"objectives": ["error", "flops"], "method": "random"},
    "roco": ["error", "flops", "adversarial_error"],
}


def volumes(points: dict[tuple[str, int], list[list[float]]]) -> dict[tuple[str, int], float]:
    """Of each place, on one scale for all."""
    every = np.array([point for of_place in points.values() for point in of_place])
    best, spread = every.min(axis=0), np.ptp(every, axis=0)
    box = HV(ref_point=np.full(every.shape[1], 1.1))
    return {place: box((np.array(found) - best) / spread) / 1.1 ** every.shape[1] for place, found in points.items()}


def test_both_volumes_are_those_of_the_same_networks(made: SimpleNamespace) -> None:
    fronts = {(c["search"], c["seed"]): c["networks"] for path in made.files.fronts if (c := read_json(path, "front"))}
    selected, tested, attacked = (defaultdict(list) for _ in range(3))
    for path in made.files.robustness:
        slot = read_json(path, "robustness")
        if slot["status"] == "ok" and slot["search"] != "references":
            place = (slot["search"], slot["seed"])
            one = fronts[place][slot["slot"]]
            selected[place].append([one["error"], one["adversarial_error"], one["flops"]])
            tested[place].append([slot["test_error"], slot["adversarial_error"], slot["flops"]])
            pgd = 1 - slot["white_box"]["attacks"]["pgd"]["accuracy"]
            attacked[place].append([slot["test_error"], pgd, slot["flops"]])
    numbers = made.tables["hypervolume_test"].numbers
    assert list(numbers.columns) == HYPERVOLUME_TEST
    rows = numbers.set_index(["objectives", "search"])
    names = "error adversarial_error flops"
    for column, points in (("selected", selected), ("test", tested)):
        found, row = volumes(points), rows.loc[names, :].loc["roco"]
        assert row[column] == pytest.approx(np.mean([found["roco", seed] for seed in range(3)]))
        gains = [found["roco", seed] - found["baseline", seed] for seed in range(3)]
        interval = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
        expected = (np.mean(gains), interval.low, interval.high)
        assert tuple(row[f"{column}_{name}"] for name in ("difference", "low", "high")) == pytest.approx(expected)
    under_attack = rows.loc["error pgd_error flops", :].loc["roco"]
    assert under_attack["test"] == pytest.approx(np.mean([volumes(attacked)["roco", seed] for seed in range(3)]))
    assert math.isnan(under_attack["selected"])
    assert set(rows["networks"]) == {sum(map(len, (selected["roco", 0], selected["roco", 1], selected["roco", 2])))}
    # Three seeds make no verdict, and the reference search stands against nothing.
    assert not numbers["resolved"].any()
    assert rows.loc[names, :].loc["baseline", "reference"] == ""


def test_a_random_search_is_compared_with_where_its_front_is_retrained(tmp_path: Path) -> None:
    config = config_of(SEARCHES, seeds=[0, 1])
    study = collect(fabricate(tmp_path, config).files)
    numbers = hypervolume_test(study, config).numbers
    pairs = set(zip(numbers["search"], numbers["reference"], strict=True))
    assert pairs == {
        ("baseline", ""),
        ("random", ""),
        ("roco", "baseline"),
        ("baseline", "random"),
        ("roco", "random"),
    }
    without = config_of(SEARCHES, seeds=[0, 1], retraining={"searches": ["baseline", "roco"], "networks": 3})
    table = hypervolume_test(study, without)
    assert set(table.numbers["search"]) == {"baseline", "roco"}
    assert "Of each front only the 3 lightest networks were retrained" in " ".join(table.notes)


def test_one_seed_has_no_interval_and_no_networks_no_row(tmp_path: Path) -> None:
    config = config_of(seeds=[0])
    table = hypervolume_test(collect(fabricate(tmp_path / "one", config).files), config)
    assert table.numbers["test_low"].isna().all()
    assert {row[5] for row in table.rows if row[0] == "baseline"} == {NO_VALUE}
    study = FabricatedStudy(tmp_path / "none", config)
    study.search("baseline", 0, networks=2, failed=2)
    assert hypervolume_test(collect(study.files), config).rows == ()
