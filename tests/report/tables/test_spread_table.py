import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, quantiles, stdev
from types import SimpleNamespace
from typing import Any

import pytest
from fabricated_study import config_of
from scipy.stats import spearmanr

from roco.report.numbers.format import NO_VALUE
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables.objective_spread import make as objective_spread


def evaluated(made: SimpleNamespace, search: str, seed: int) -> dict[str, dict[str, Any]]:
    """The networks that a search evaluated by key, from the shards as they lie there."""
    found = {}
    for path in map(str, made.files.shards):
        if f"/seed_{seed}/" in path and (f"search/{search}/" in path or "search/initial/" in path):
            records = json.loads(Path(path).read_text())["content"]
            found |= {record["key"]: record for record in records if record["status"] == "ok"}
    return found


def test_the_numbers_are_those_of_the_shards(made: SimpleNamespace) -> None:
    numbers = made.tables["objective_spread"].numbers.set_index(["search", "seed"])
    assert len(numbers) == 2 * 3 + 1
    parts = {(s, str(seed)): evaluated(made, s, seed) for s in ("baseline", "roco") for seed in (0, 1, 2)}
    parts["all", "all"] = {
        f"{seed} {key}": one for (_, seed), found in list(parts.items()) for key, one in found.items()
    }
    # 7 (1 + 3) images from lenet and 7 (2 + 4) from resnet, for two norms.
    images = 2 * 70
    for place, found in parts.items():
        row, errors = numbers.loc[place], [one["adversarial_error"] for one in found.values()]
        assert (row["networks"], row["images"]) == (len(errors), images)
        quartiles = quantiles(errors, n=4, method="inclusive")
        assert list(row[["lower_quartile", "median", "upper_quartile"]]) == pytest.approx(quartiles)
        assert (row["minimum"], row["maximum"]) == (min(errors), max(errors))
        assert row["standard_deviation"] == pytest.approx(stdev(errors))
        assert row["noise"] ** 2 == pytest.approx(mean(e * (1 - e) / images for e in errors))
        plain = [one["error"] for one in found.values()]
        assert row["correlation"] == pytest.approx(spearmanr(errors, plain).statistic)
        assert row["low"] < row["correlation"] < row["high"]
    assert numbers.loc[("all", "all"), "networks"] < sum(len(found) for found in parts.values()) / 2


def test_people_read_percent(made: SimpleNamespace) -> None:
    table = made.tables["objective_spread"]
    row = table.numbers.iloc[-1]
    assert table.rows[-1][:4] == ("all", "all", str(row["networks"]), f"{100 * row['minimum']:.1f}")
    assert "140 images" in table.notes[0]


def test_what_cannot_be_said_has_no_number(made: SimpleNamespace) -> None:
    nothing = objective_spread(collect(StudyFiles()), config_of())
    assert [set(row[3:]) for row in nothing.rows] == [{NO_VALUE}]
    assert nothing.rows[0][2] == "0"
    # All networks alike: a spread of 0, and no order.
    evaluations = made.study.evaluations.assign(adversarial_error=0.5)
    alike = objective_spread(replace(made.study, evaluations=evaluations), made.config).numbers
    assert set(alike["standard_deviation"]) == {0.0}
    assert alike["correlation"].isna().all()
    assert alike["noise"].to_list() == pytest.approx([(0.25 / 140) ** 0.5] * len(alike))
