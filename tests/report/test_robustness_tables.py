"""Accuracy against radius, smallest perturbations and flags: recomputed from the raw files."""

import json
from pathlib import Path
from statistics import mean, median
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fabricated_study import FabricatedStudy, config_of
from scipy.stats import ttest_1samp

from roco.attacks.settings import RESERVED, RESERVED_BEGINNING, RESERVED_ENDING
from roco.report.figures import accuracy_radius
from roco.report.numbers.perturbation_statistics import _medians, _middle_ranks, mean_of_medians
from roco.report.read.collect import collect
from roco.report.tables import make_tables
from roco.runtime import numpy_generator


def raw_slots(made: SimpleNamespace, **place: Any) -> list[dict[str, Any]]:
    contents = [json.loads(Path(path).read_text())["content"] for path in made.files.robustness]
    return [c for c in contents if c["status"] == "ok" and all(c[name] == value for name, value in place.items())]


def mean_of_seeds(made: SimpleNamespace, search: str, value: Any) -> float:
    seeds = [[value(slot) for slot in raw_slots(made, search=search, seed=seed)] for seed in made.config.seeds]
    return mean(mean(found) for found in seeds if found)


@pytest.mark.parametrize("file", ["tables/robustness_curve.csv", "figures/accuracy_radius.csv"])
def test_the_curve_is_the_mean_of_the_networks_at_each_radius(made: SimpleNamespace, file: str) -> None:
    numbers = pd.read_csv(made.folder / file)
    assert list(numbers["search"].unique()) == ["baseline", "roco", "references"]
    assert sorted(numbers["radius"].unique()) == [0.0, 0.5, 1.0, 4.0]
    for row in numbers.itertuples():
        place = [0.5, 1.0, 4.0].index(row.radius) if row.radius else None

        def held(slot: dict[str, Any], place: int | None = place) -> float:
            white_box = slot["white_box"]
            robust = white_box["curve"]["robust_images"]
            return white_box["clean_accuracy"] if place is None else robust[place].count("1") / len(robust[place])

        assert row.accuracy == pytest.approx(mean_of_seeds(made, row.search, held))
        assert row.low < row.accuracy < row.high
    for _, course in numbers.groupby("search"):
        assert course.sort_values("radius")["accuracy"].is_monotonic_decreasing


def test_the_curve_in_cells_begins_with_clean_images(made: SimpleNamespace) -> None:
    table = made.tables["robustness_curve"]
    assert table.header == ("Search", "clean", "0.5/255", "1/255", "4/255", "Networks")
    assert table.rows[0][:2] == ("baseline", table.rows[0][1])
    assert table.rows[0][1].startswith("92.0 (")
    assert [row[-1] for row in table.rows] == ["15", "15", "1"]


def test_smallest_perturbations_are_medians_over_images_that_were_right(made: SimpleNamespace) -> None:
    numbers = made.tables["smallest_perturbations"].numbers

    def middle(slot: dict[str, Any], norm: str = "linf") -> float:
        distances = slot["white_box"]["smallest_perturbations"][norm]["per_image"]
        return median(np.inf if one is None else one for one in distances if one != 0)

    networks = numbers[numbers["key"].notna()]
    assert len(networks) == 2 * len(raw_slots(made))
    for row in networks.itertuples():
        slot = raw_slots(made, search=row.search, seed=row.seed, slot=row.slot)[0]
        assert row.median == pytest.approx(middle(slot, row.norm))
        assert row.low < row.median < row.high
        assert (row.images, row.unbroken) == (184, 2)
    of_search = numbers[numbers["key"].isna() & (numbers["norm"] == "linf")].set_index("search")
    for search in ("baseline", "roco"):
        assert of_search.loc[search, "median"] == pytest.approx(mean_of_seeds(made, search, middle))
        assert of_search.loc[search, "networks"] == 15
    first = made.tables["smallest_perturbations"].rows[0]
    assert first[:3] == ("baseline", "", "mean of all")
    assert first[4].startswith(f"{255 * of_search.loc['baseline', 'median']:.3g} (")


def test_raised_flags_come_first_and_every_flag_is_counted(made: SimpleNamespace) -> None:
    table, slots = made.tables["flags"], raw_slots(made)
    raised = [slot["key"] for slot in slots for flag in slot["white_box"]["flags"] if flag["raised"]]
    assert 0 < len(raised) < len(slots)
    states = [row[1] for row in table.rows]
    assert states == ["RAISED"] * len(raised) + ["not raised"] * 2
    assert sorted(row[4] for row in table.rows[: len(raised)]) == sorted(raised)
    assert table.rows[0][0] == "noise: noise does as much as an attack"
    assert table.rows[0][-1] == "noise of 8/255 turns 3 images, PGD 2"
    counted = {row[0].split(":")[0]: row[4] for row in table.rows[len(raised) :]}
    assert counted == {"more steps": f"{len(slots)} networks", "noise": f"{len(slots) - len(raised)} networks"}
    assert table.notes[0].startswith(f"{len(raised)} of {2 * len(slots)} flags are raised")
    assert len(table.numbers) == 2 * len(slots)


def test_a_study_without_them_has_empty_tables_and_a_figure_that_says_so(tmp_path: Path) -> None:
    config = config_of(seeds=[0])
    study = collect(FabricatedStudy(tmp_path, config).files)
    tables = {table.name: table for table in make_tables(study, config)}
    assert all(tables[name].rows == () for name in ("robustness_curve", "smallest_perturbations", "flags"))
    figure = accuracy_radius.draw(accuracy_radius.numbers(study, config), config)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no radii were searched"]


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_drawn_medians_are_those_of_resampled_images(count: int) -> None:
    distances = np.sort(numpy_generator("distances").random(count)) ** 2
    *fast, own = _medians(distances, _middle_ranks(count, numpy_generator("fast")))
    fast = np.array(fast)
    assert own == np.median(distances)
    slow = np.median(numpy_generator("slow").choice(distances, (20_000, count)), axis=1)
    assert set(fast.round(12)) <= set(((distances[:, None] + distances) / 2).round(12).ravel())
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        value = np.quantile(slow, share)
        # The share of draws at or below each quantile agrees, as far as ties allow.
        assert np.mean(fast < value) - 0.04 <= np.mean(slow <= value)
        assert np.mean(fast <= value) + 0.04 >= np.mean(slow < value)
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / np.sqrt(len(fast)) + 1e-12)


def test_infinite_distances_move_the_median_and_its_interval() -> None:
    few = mean_of_medians([[[np.array([1.0, 2.0, 3.0, 4.0, np.inf])]]], purpose="few")
    assert few.value == 3.0
    assert few.low >= 1.0
    assert few.high == np.inf
    assert few.basis == "test images, of this training alone"
    most = mean_of_medians([[[np.array([1.0, np.inf, np.inf, np.inf])]]], purpose="most")
    assert most.value == np.inf
    assert not most.low <= 0
    none = mean_of_medians([[[np.zeros(0)]], []], purpose="none")
    assert np.isnan(none.value)


def test_no_attack_can_be_called_like_what_stands_beside_attacks(made: SimpleNamespace) -> None:
    columns = [
        name
        for table in ("white_box", "retrainings")
        if table in made.tables
        for name in made.tables[table].numbers.columns
    ]
    beside = {name for name in columns if name not in made.config.robustness.attacks}
    assert {"test", "adversarial_set"} <= beside
    kept = {name for name in beside if not (name.startswith(RESERVED_BEGINNING) or name.endswith(RESERVED_ENDING))}
    assert kept <= set(RESERVED)


def test_medians_have_students_interval_over_seeds_networks_or_retrainings() -> None:
    # 2001 equal distances: the images add nothing.
    near, middle, far = (np.full(2001, distance) for distance in (1.0, 1.5, 2.0))
    cases = {
        "retrainings and test images": ([[[near, middle, far]]], [1.0, 1.5, 2.0]),
        "networks and test images of one seed": ([[[near], [far, far], [near, far]]], [1.0, 2.0, 1.5]),
        "seeds and test images": ([[[near], [far]], [[far]], [[near, near]]], [1.5, 2.0, 1.0]),
    }
    for basis, (groups, values) in cases.items():
        found = mean_of_medians(groups, purpose=basis)
        expected = ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx((max(0, expected.low), expected.high))
        assert found.basis == basis


def test_images_of_medians_are_drawn_once_for_all() -> None:
    distances = np.sort(numpy_generator("distances").random(101))
    one, many = (mean_of_medians([[[distances] * count] * count] * count, purpose="same") for count in (1, 3))
    assert (many.value, many.low, many.high) == pytest.approx((one.value, one.low, one.high))
