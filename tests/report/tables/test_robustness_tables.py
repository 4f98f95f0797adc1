"""Accuracy against radius, medians of smallest perturbations with their intervals, and names beside attacks."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fabricated_study import FabricatedStudy, config_of
from scipy.stats import ttest_1samp

from roco.attacks.settings import RESERVED, RESERVED_BEGINNING, RESERVED_ENDING
from roco.report.figures import accuracy_radius
from roco.report.numbers.perturbation_statistics import _medians, _middle_ranks, mean_of_medians
from roco.report.read.collect import collect
from roco.report.tables import make_tables
from roco.runtime import numpy_generator


def test_the_curve_in_cells_begins_with_clean_images(made: SimpleNamespace) -> None:
    table = made.tables["robustness_curve"]
    assert table.header == ("Search", "clean", "0.5/255", "1/255", "4/255", "Networks")
    assert table.rows[0][:2] == ("baseline", table.rows[0][1])
    assert table.rows[0][1].startswith("92.0 (")
    assert [row[-1] for row in table.rows] == ["15", "15", "1"]
    assert (made.folder / "figures/accuracy_radius.csv").read_text() == table.csv()


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
