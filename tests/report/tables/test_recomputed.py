"""Tables of networks that were trained once and of such that were trained three times, again from the raw files."""

from collections import defaultdict
from statistics import mean, median, stdev
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from raw_numbers import Training, lightest, mean_of_seeds, of_seed, raw, trainings_of, value
from scipy.stats import ttest_1samp


@pytest.mark.parametrize(("table", "metric"), [("table_3", "adversarial_set"), ("table_4", "test")])
def test_tables_3_and_4_are_means_of_the_lightest_networks(each: SimpleNamespace, table: str, metric: str) -> None:
    numbers = pd.read_csv(each.folder / f"tables/{table}.csv")
    assert len(numbers) == 2 * 3
    for row in numbers.itertuples():
        found = [lightest(each, row.search, seed, row.top) for seed in each.config.seeds]
        expected = mean(mean(value(network, metric) for network in networks) for networks in found)
        assert row.accuracy == pytest.approx(expected, abs=1e-12)
        assert row.low < row.accuracy < row.high
        assert (row.seeds, row.networks) == (len(found), sum(map(len, found)))
        assert row.retrainings == sum(len(network) for networks in found for network in networks)
        assert row.basis == "seeds and test images"


def test_differences_are_those_of_means_over_retrainings(each: SimpleNamespace) -> None:
    numbers = each.tables["differences"].numbers
    rows = numbers.set_index(["selection", "metric"])
    for count in each.config.report.top:
        sides = [[lightest(each, name, seed, count) for seed in each.config.seeds] for name in ("roco", "baseline")]
        for metric in ("pgd", "test", "adversarial_set"):
            gains = [
                mean(value(network, metric) for network in one) - mean(value(network, metric) for network in two)
                for one, two in zip(*sides, strict=True)
            ]
            row, expected = rows.loc[(f"top_{count}", metric)], ttest_1samp(gains, 0)
            assert row["difference"] == pytest.approx(mean(gains), abs=1e-12)
            # Beside the seeds, the images that all of them share; differences lie between -100 and 100 points.
            assert row["p"] >= expected.pvalue - 1e-9
            assert row["low"] <= max(-1, expected.confidence_interval(0.95).low) + 1e-9
            assert row["high"] >= min(1, expected.confidence_interval(0.95).high) - 1e-9
            assert row["deviation"] == pytest.approx(stdev(gains))
            assert row["retrainings"] == sum(len(network) for side in sides for seed in side for network in seed)
    # So few seeds decide nothing.
    assert not numbers["resolved"].any()


def test_equal_flops_pairs_stay_within_a_tenth(each: SimpleNamespace) -> None:
    rows = each.tables["differences"].numbers.query("selection == 'equal_flops'").set_index("metric")
    gains = defaultdict(list)
    for seed in each.config.seeds:
        ours, theirs = (of_seed(each, name, seed) for name in ("roco", "baseline"))
        while ours and theirs:
            pairs = [(one, two) for one in ours for two in theirs]
            ratios = [max(a, b) / min(a, b) for a, b in ((one[0]["flops"], two[0]["flops"]) for one, two in pairs)]
            nearest = int(np.argmin(ratios))
            if ratios[nearest] > 1.1:
                break
            one, two = pairs[nearest]
            for metric in ("pgd", "test"):
                gains[metric, seed].append(value(one, metric) - value(two, metric))
            ours.remove(one)
            theirs.remove(two)
    for metric in ("pgd", "test"):
        of_seeds = [found for (name, _), found in gains.items() if name == metric]
        assert rows.loc[metric, "networks"] == sum(map(len, of_seeds))
        assert rows.loc[metric, "difference"] == pytest.approx(mean(map(mean, of_seeds)), abs=1e-12)


def test_rows_of_networks_are_means_with_their_number_of_retrainings(each: SimpleNamespace) -> None:
    networks, numbers = raw(each), each.tables["white_box"].numbers
    assert len(numbers) == 2 * len(each.config.seeds) * 6 + 1
    sound = numbers[numbers["status"] == "ok"]
    assert len(sound) == len(networks)
    for row in sound.to_dict("records"):
        trainings = networks[row["search"], row["seed"], row["slot"]]
        for metric in ("test", "adversarial_set", "pgd", "cw"):
            assert row[metric] == pytest.approx(value(trainings, metric), abs=1e-12)
        assert row["retrainings"] == len(trainings)
        held = [t["white_box"]["curve"]["robust_images"][1].count("1") / 200 for t in trainings]
        assert row["accuracy_at_1"] == pytest.approx(mean(held))
    table_5 = each.tables["table_5"].numbers
    for row in table_5[table_5["source"] != "paper"].itertuples():
        trainings = networks[row.search, row.seed, row.slot]
        assert row.pgd == pytest.approx(value(trainings, "pgd"))
        assert row.pgd_low < row.pgd < row.pgd_high
        assert row.retrainings == len(trainings)
        assert (row.parameters, row.search_flops) == (trainings[0]["parameters"], trainings[0]["search_flops"])


def test_table_5_pairs_are_the_closest_in_flops(each: SimpleNamespace) -> None:
    numbers = each.tables["table_5"].numbers
    for seed in each.config.seeds:
        pair = numbers[numbers["source"] == f"seed {seed}"]
        assert list(pair["search"]) == ["baseline", "roco"]
        costs = [[network[0]["flops"] for network in of_seed(each, name, seed)] for name in ("baseline", "roco")]
        closest = min(max(a, b) / min(a, b) for a in costs[0] for b in costs[1])
        assert max(pair["flops"]) / min(pair["flops"]) == closest
    assert numbers[numbers["source"] == "paper"]["pgd"].tolist() == [0.5096, 0.5656]
    assert numbers[numbers["source"] == "reference"]["key"].tolist() == ["0123456789e1"]


def test_curves_are_means_over_retrainings(each: SimpleNamespace) -> None:
    numbers = each.tables["robustness_curve"].numbers
    assert list(numbers["search"].unique()) == ["baseline", "roco", "references"]
    assert sorted(numbers["radius"].unique()) == [0.0, 0.5, 1.0, 4.0]
    for row in numbers.itertuples():
        place = [0.5, 1.0, 4.0].index(row.radius) if row.radius else None

        def held(training: Training, place: int | None = place) -> float:
            white_box = training["white_box"]
            robust = white_box["curve"]["robust_images"]
            return white_box["clean_accuracy"] if place is None else robust[place].count("1") / len(robust[place])

        assert row.accuracy == pytest.approx(mean_of_seeds(each, row.search, held))
        assert row.low < row.accuracy < row.high
        trained = [len(network) for (search, _, _), network in raw(each).items() if search == row.search]
        assert (row.networks, row.retrainings) == (len(trained), sum(trained))
    for _, course in numbers.groupby("search"):
        assert course.sort_values("radius")["accuracy"].is_monotonic_decreasing


def test_smallest_perturbations_are_medians_over_images_that_were_right(each: SimpleNamespace) -> None:
    numbers = each.tables["smallest_perturbations"].numbers

    def middle(training: Training, norm: str = "linf") -> float:
        distances = training["white_box"]["smallest_perturbations"][norm]["per_image"]
        return median(np.inf if distance is None else distance for distance in distances if distance != 0)

    of_networks = numbers[numbers["key"].notna()]
    assert len(of_networks) == 2 * len(raw(each))
    for row in of_networks.itertuples():
        trainings = raw(each)[row.search, row.seed, row.slot]
        assert row.median == pytest.approx(mean(middle(training, row.norm) for training in trainings))
        assert row.low < row.median < row.high
        assert (row.images, row.unbroken, row.retrainings) == (184, 2 * len(trainings), len(trainings))
    of_searches = numbers[numbers["key"].isna() & (numbers["norm"] == "linf")].set_index("search")
    for search in ("baseline", "roco"):
        assert of_searches.loc[search, "median"] == pytest.approx(mean_of_seeds(each, search, middle))
    first = each.tables["smallest_perturbations"].rows[0]
    assert first[:3] == ("baseline", "", "mean of all")
    assert first[4].startswith(f"{255 * of_searches.loc['baseline', 'median']:.3g} (")


def test_flags_name_the_training(each: SimpleNamespace) -> None:
    table, trainings = each.tables["flags"], trainings_of(each)
    raised = {(t["key"], t["training_seed"]) for t in trainings for f in t["white_box"]["flags"] if f["raised"]}
    numbers = table.numbers[table.numbers["raised"]]
    assert set(zip(numbers["key"], numbers["training_seed"], strict=True)) == raised
    assert 0 < len(raised) < len(trainings)
    assert [row[1] for row in table.rows] == ["RAISED"] * len(raised) + ["not raised"] * 2
    assert {row[4] for row in table.rows[: len(raised)]} == {key for key, _ in raised}
    unit = "network" if len(each.config.retraining.seeds) == 1 else "retraining"
    counted = {row[0].split(":")[0]: row[4] for row in table.rows[len(raised) :]}
    assert counted == {"more steps": f"{len(trainings)} {unit}s", "noise": f"{len(trainings) - len(raised)} {unit}s"}
    assert table.rows[0][0] == "noise: noise does as much as an attack"
    assert table.rows[0][-1] == "noise of 8/255 turns 3 images, PGD 2"
    assert table.notes[0].startswith(f"{len(raised)} of {2 * len(trainings)} flags are raised")
