"""What is said of a study whose networks are trained three times; its numbers are in test_recomputed.py."""

from collections import defaultdict
from statistics import mean, stdev
from types import SimpleNamespace

import pandas as pd
import pytest
from raw_numbers import Training, accuracy, raw, value

from roco.report.figures import write_figures
from roco.report.page.answer import answer
from roco.report.page.page import origin_of, render
from roco.report.page.sections import Drawings, network_sections


def spread(trainings: list[Training], metric: str) -> str:
    """The mean, and in parentheses the smallest and the largest, in percent."""
    shares = [accuracy(training, metric) for training in trainings]
    middle, low, high = (f"{100 * share:.1f}" for share in (sum(shares) / len(shares), min(shares), max(shares)))
    return f"{middle} ({low}–{high})"


def test_the_files_hold_what_the_tests_think(again: SimpleNamespace) -> None:
    counts = {place: len(trainings) for place, trainings in raw(again).items()}
    assert len(counts) == 2 * 2 * 5 + 1
    assert {count for (_, _, slot), count in counts.items() if slot} == {3}
    assert counts["roco", 1, 0] == 2


def test_notes_and_the_answer_say_what_numbers_rest_on(again: SimpleNamespace) -> None:
    for table in ("table_3", "table_4"):
        notes = " ".join(again.tables[table].notes)
        assert "Each network was trained 3 times with other seeds; its value is the mean." in notes
        assert "4 networks failed in retraining or under attack and are left out." in notes
        assert "4 retrainings failed of networks that count with their other retrainings." in notes
    assert "retrainings" in " ".join(again.tables["differences"].notes)
    numbers = again.tables["differences"].numbers
    first, second, _ = answer(numbers, again.tables["table_3"].numbers, again.config)
    assert "95 % interval" in first
    assert f"({numbers.query('main').iloc[0]['retrainings']} retrainings)" in second
    white_box = again.tables["white_box"]
    failed = white_box.numbers[white_box.numbers["status"] == "failed"]["reason"].unique().tolist()
    assert failed == ["; ".join(f"training seed {seed}: loss is NaN" for seed in (0, 3, 11))]
    assert white_box.markdown().count("in part failed: training seed 11: loss is NaN") == 4
    assert again.tables["table_5"].header[-1] == "Retrainings"


def test_the_spread_over_retrainings_has_a_table(again: SimpleNamespace) -> None:
    table, networks = again.tables["retrainings"], raw(again)
    # A row for each training, the failed ones too.
    assert len(table.numbers) == (2 * 2 * 6 + 1) * 3
    by_place = {(r.search, r.seed, r.slot, r.training_seed): r for r in table.numbers.itertuples()}
    for (search, seed, slot), trainings in networks.items():
        for training in trainings:
            assert by_place[search, seed, slot, training["training_seed"]].cw == accuracy(training, "cw")
    rows = {row[2]: row for row in table.rows[:-2]}
    trainings = networks["roco", 0, 2]
    assert (rows[trainings[0]["key"]][3], rows[trainings[0]["key"]][-1]) == ("3", spread(trainings, "cw"))
    searched = [found for (search, _, _), found in networks.items() if search != "references"]
    squares = sum((len(t) - 1) * stdev(accuracy(one, "cw") for one in t) ** 2 for t in searched)
    within = (squares / sum(len(t) - 1 for t in searched)) ** 0.5
    assert table.rows[-2][-1] == f"{100 * within:.1f}"
    groups = defaultdict(list)
    for (search, seed, _), found in networks.items():
        groups[search, seed].append(value(found, "cw"))
    between = mean(stdev(values) ** 2 for (search, _), values in groups.items() if search != "references") ** 0.5
    assert table.rows[-1][-1] == f"{100 * between:.1f}"


def test_a_networks_section_shows_its_retrainings(again: SimpleNamespace) -> None:
    sections = {one.key: one for one in network_sections(again.tables, again.config, Drawings())}
    for (search, seed, slot), trainings in raw(again).items():
        one = sections[trainings[0]["key"]]
        assert one.retrained.rows[0][1] == str(len(trainings))
        assert one.retrained.rows[0][-3] == spread(trainings, "pgd")
        far = mean(training["white_box"]["attacks"]["cw"]["median_l2"] for training in trainings)
        left = mean(training["white_box"]["attacks"]["cw"]["accuracy"] for training in trainings)
        assert one.retrained.rows[0][-1] == f"{far:.3g} ({100 * left:.1f})"
        assert one.chart.count("<polyline") == len(trainings)
        folder = f"retrained/{search}/seed_{seed}/slot_{slot:03d}"
        assert one.weights == tuple(
            f"{folder}/training_{training['training_seed']}/network.safetensors" for training in trainings
        )
        told = () if len(trainings) == 3 else (f"{search} seed {seed}, training seed 11: loss is NaN",)
        assert one.failures == told


def test_the_page_says_which_retrainings_failed(again: SimpleNamespace) -> None:
    write_figures(again.study, again.config, again.folder / "figures")
    origin = origin_of(again.folder / "dataset.h5")
    folders = {"figures": again.folder / "figures", "tables": again.folder / "tables"}
    page = render(again.study, again.config, origin=origin, **folders)
    assert page.count("retrained with seed 11): loss is NaN") == 4 + 4
    assert page.count("retrained with seed 0): loss is NaN") == 4
    assert "<dt>Retrainings of them all</dt><dd>75</dd>" in page
    assert "<dt>Networks retrained</dt><dd>24</dd>" in page
    points = pd.read_csv(again.folder / "figures/figure_5.csv").query("kind == 'network'")
    assert len(points) == len(raw(again))
    for row in points.itertuples():
        trainings = raw(again)[row.search, row.seed, row.slot]
        assert row.accuracy == pytest.approx(value(trainings, "pgd"))
        assert (row.low < row.accuracy < row.high, row.retrainings) == (True, len(trainings))
