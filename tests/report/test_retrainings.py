"""A study whose networks are trained three times: every number again from the raw files, without roco."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, median, stdev
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fabricated_study import config_of, fabricate

from roco.report.figures import write_figures
from roco.report.page.answer import answer
from roco.report.page.page import origin_of, render
from roco.report.page.sections import Drawings, network_sections
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables import make_tables, write_tables

SEEDS = [0, 3, 11]
Place = tuple[str, int, int]


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Of each search and seed the last network failed in all trainings, and the first one in the last of three."""
    folder: Path = tmp_path_factory.mktemp("again")
    config = config_of(seeds=[0, 1], retraining={"references": ["paper_roco"], "seeds": SEEDS})
    files = fabricate(folder, config, failed=1, partly=True).files
    study = collect(files)
    tables = {table.name: table for table in write_tables(study, config, folder / "tables")}
    return SimpleNamespace(folder=folder, config=config, files=files, study=study, tables=tables)


def raw(made: SimpleNamespace) -> dict[Place, list[dict[str, Any]]]:
    """The successful trainings of each network."""
    networks: dict[Place, list[dict[str, Any]]] = defaultdict(list)
    for path in made.files.robustness:
        content = json.loads(Path(path).read_text())["content"]
        if content["status"] == "ok":
            networks[content["search"], content["seed"], content["slot"]].append(content)
    return networks


def accuracy(training: dict[str, Any], metric: str) -> float:
    if metric in ("test", "adversarial_set"):
        return 1 - training["test_error" if metric == "test" else "adversarial_error"]
    return float(training["white_box"]["attacks"][metric]["accuracy"])


def value(trainings: list[dict[str, Any]], metric: str) -> float:
    return mean(accuracy(training, metric) for training in trainings)


def spread(trainings: list[dict[str, Any]], metric: str) -> str:
    """The mean, and in parentheses the smallest and the largest, in percent."""
    shares = [accuracy(training, metric) for training in trainings]
    middle, low, high = (f"{100 * share:.1f}" for share in (sum(shares) / len(shares), min(shares), max(shares)))
    return f"{middle} ({low}–{high})"


def lightest(made: SimpleNamespace, search: str, seed: int, count: int) -> list[list[dict[str, Any]]]:
    networks = [found for (name, number, _), found in sorted(raw(made).items()) if (name, number) == (search, seed)]
    return sorted(networks, key=lambda trainings: trainings[0]["flops"])[:count]


def test_the_files_hold_what_the_tests_think(again: SimpleNamespace) -> None:
    counts = {place: len(trainings) for place, trainings in raw(again).items()}
    assert len(counts) == 2 * 2 * 5 + 1
    assert {count for (_, _, slot), count in counts.items() if slot} == {3}
    assert counts["roco", 1, 0] == 2


@pytest.mark.parametrize(("table", "metric"), [("table_3", "adversarial_set"), ("table_4", "test")])
def test_tables_3_and_4_are_means_of_means(again: SimpleNamespace, table: str, metric: str) -> None:
    numbers = pd.read_csv(again.folder / f"tables/{table}.csv")
    for row in numbers.itertuples():
        found = [lightest(again, row.search, seed, row.top) for seed in again.config.seeds]
        expected = mean(mean(value(network, metric) for network in networks) for networks in found)
        assert row.accuracy == pytest.approx(expected, abs=1e-12)
        assert row.low < row.accuracy < row.high
        assert row.retrainings == sum(len(network) for networks in found for network in networks)
        assert row.basis == "seeds and test images"
    notes = " ".join(again.tables[table].notes)
    assert "Each network was trained 3 times with other seeds; its value is the mean." in notes
    assert "4 networks failed in retraining or under attack and are left out." in notes
    assert "4 retrainings failed of networks that count with their other retrainings." in notes


def test_differences_are_those_of_means_over_retrainings(again: SimpleNamespace) -> None:
    numbers = again.tables["differences"].numbers.set_index(["selection", "metric"])
    for count in again.config.report.top:
        sides = {
            name: [lightest(again, name, seed, count) for seed in again.config.seeds] for name in ("roco", "baseline")
        }
        for metric in ("pgd", "test", "adversarial_set"):
            gains = [
                mean(value(network, metric) for network in one) - mean(value(network, metric) for network in two)
                for one, two in zip(sides["roco"], sides["baseline"], strict=True)
            ]
            row = numbers.loc[(f"top_{count}", metric)]
            assert row["difference"] == pytest.approx(mean(gains), abs=1e-12)
            # Student's t of two seeds, and the images that both share.
            # Differences lie between -100 and 100 points.
            assert row["high"] >= min(1.0, mean(gains) + 12.706 * stdev(gains) / 2**0.5 * 0.9999)
            behind = [network for side in sides.values() for networks in side for network in networks]
            assert row["retrainings"] == sum(map(len, behind))
    assert "retrainings" in " ".join(again.tables["differences"].notes)
    first, second, _ = answer(again.tables["differences"].numbers, again.tables["table_3"].numbers, again.config)
    assert "95 % interval" in first
    main = again.tables["differences"].numbers.query("main").iloc[0]
    assert f"({main['retrainings']} retrainings)" in second


def test_equal_flops_pairs_are_paired_by_their_means(again: SimpleNamespace) -> None:
    row = again.tables["differences"].numbers.query("selection == 'equal_flops' and metric == 'pgd'").iloc[0]
    networks, gains = raw(again), defaultdict(list)
    for seed in again.config.seeds:
        free = {n: [t for (s, k, _), t in networks.items() if (s, k) == (n, seed)] for n in ("roco", "baseline")}
        while free["roco"] and free["baseline"]:
            pairs = [(one, two) for one in free["roco"] for two in free["baseline"]]
            ratios = [max(a, b) / min(a, b) for a, b in ((one[0]["flops"], two[0]["flops"]) for one, two in pairs)]
            nearest = int(np.argmin(ratios))
            if ratios[nearest] > 1.1:
                break
            one, two = pairs[nearest]
            gains[seed].append(value(one, "pgd") - value(two, "pgd"))
            free["roco"].remove(one)
            free["baseline"].remove(two)
    assert row["difference"] == pytest.approx(mean(mean(found) for found in gains.values()), abs=1e-12)


def test_rows_of_networks_are_means_with_their_number_of_retrainings(again: SimpleNamespace) -> None:
    networks = raw(again)
    white_box = again.tables["white_box"].numbers
    assert len(white_box) == 2 * 2 * 6 + 1
    for row in white_box[white_box["status"] == "ok"].to_dict("records"):
        trainings = networks[row["search"], row["seed"], row["slot"]]
        for metric in ("test", "adversarial_set", "pgd", "cw"):
            assert row[metric] == pytest.approx(value(trainings, metric), abs=1e-12)
        assert row["retrainings"] == len(trainings)
        held = [t["white_box"]["curve"]["robust_images"][1].count("1") / 200 for t in trainings]
        assert row["accuracy_at_1"] == pytest.approx(mean(held))
    failed = white_box[white_box["status"] == "failed"]["reason"].unique().tolist()
    assert failed == ["; ".join(f"training seed {seed}: loss is NaN" for seed in SEEDS)]
    shown = again.tables["white_box"].markdown()
    assert shown.count("in part failed: training seed 11: loss is NaN") == 4
    table_5 = again.tables["table_5"].numbers
    for row in table_5[table_5["source"] != "paper"].itertuples():
        trainings = networks[row.search, row.seed, row.slot]
        assert row.pgd == pytest.approx(value(trainings, "pgd"))
        assert row.pgd_low < row.pgd < row.pgd_high
        assert row.retrainings == len(trainings)
    assert again.tables["table_5"].header[-1] == "Retrainings"


def test_curves_and_distances_are_means_over_retrainings(again: SimpleNamespace) -> None:
    networks = raw(again)

    def mean_of(search: str, of_training: Any) -> float:
        seeds = [[t for (s, k, _), t in networks.items() if (s, k) == (search, seed)] for seed in again.config.seeds]
        return mean(mean(mean(map(of_training, network)) for network in found) for found in seeds if found)

    def middle(training: dict[str, Any]) -> float:
        distances = training["white_box"]["smallest_perturbations"]["linf"]["per_image"]
        return median(np.inf if one is None else one for one in distances if one != 0)

    for row in again.tables["robustness_curve"].numbers.query("radius == 4").itertuples():
        expected = mean_of(row.search, lambda t: t["white_box"]["curve"]["robust_images"][2].count("1") / 200)
        assert row.accuracy == pytest.approx(expected)
        trained = [len(t) for (search, _, _), t in networks.items() if search == row.search]
        assert (row.networks, row.retrainings) == (len(trained), sum(trained))
    smallest = again.tables["smallest_perturbations"].numbers.query("norm == 'linf'")
    for row in smallest.itertuples():
        if isinstance(row.key, str):
            trainings = networks[row.search, row.seed, row.slot]
            assert row.median == pytest.approx(mean(map(middle, trainings)))
            assert row.retrainings == len(trainings)
            assert row.basis == "retrainings and test images"
        else:
            assert row.median == pytest.approx(mean_of(row.search, middle))


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


def test_flags_name_the_training(again: SimpleNamespace) -> None:
    table = again.tables["flags"]
    trainings = [one for found in raw(again).values() for one in found]
    raised = {(t["key"], str(t["training_seed"])) for t in trainings for f in t["white_box"]["flags"] if f["raised"]}
    assert {(row[4], row[5]) for row in table.rows if row[1] == "RAISED"} == raised
    assert f"{len(trainings)} retrainings" in {row[4] for row in table.rows}


def test_the_order_of_files_does_not_matter(again: SimpleNamespace) -> None:
    mixed = StudyFiles(**{name: tuple(reversed(paths)) for name, paths in vars(again.files).items()})
    for table in make_tables(collect(mixed), again.config):
        assert table.csv() == again.tables[table.name].csv()
