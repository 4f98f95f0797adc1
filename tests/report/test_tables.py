import hashlib
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from fabricated_study import FabricatedStudy, config_of, fabricate
from scipy.stats import ttest_1samp

from roco.report.contents import TABLES
from roco.report.measures.paper import ADVERSARIAL_SAMPLES
from roco.report.page.answer import answer
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables import make_tables, write_tables

NO_SOURCES: dict[str, list[int]] = {"source_index": [], "images": [], "right": [], "noise_right": []}


def raw_slots(made: SimpleNamespace) -> list[dict[str, Any]]:
    """The contents of the robustness files, read without roco."""
    contents = [json.loads(Path(path).read_text())["content"] for path in made.files.robustness]
    return [content for content in contents if content["status"] == "ok"]


def read_numbers(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"key": str, "genome": str})


def lightest_raw(made: SimpleNamespace, search: str, seed: int, count: int) -> list[dict[str, Any]]:
    slots = [s for s in raw_slots(made) if s["search"] == search and s["seed"] == seed]
    return sorted(slots, key=lambda s: s["flops"])[:count]


@pytest.mark.parametrize(("table", "field"), [("table_3", "adversarial_error"), ("table_4", "test_error")])
def test_tables_3_and_4_are_means_of_the_lightest_networks(made: SimpleNamespace, table: str, field: str) -> None:
    numbers = read_numbers(made.folder / "tables" / f"{table}.csv")
    assert len(numbers) == 6
    for row in numbers.itertuples():
        seeds = [
            mean(1 - s[field] for s in lightest_raw(made, row.search, seed, row.top)) for seed in made.config.seeds
        ]
        assert row.accuracy == pytest.approx(mean(seeds), abs=1e-12)
        assert row.low <= row.accuracy <= row.high
        assert (row.seeds, row.networks) == (3, 3 * row.top)


def test_table_5_pairs_are_the_closest_in_flops(made: SimpleNamespace) -> None:
    numbers = made.tables["table_5"].numbers
    for seed in made.config.seeds:
        pair = numbers[numbers["source"] == f"seed {seed}"]
        assert list(pair["search"]) == ["baseline", "roco"]
        one, two = pair["flops"]
        slots = [s for s in raw_slots(made) if s["seed"] == seed]
        costs = {n: [s["flops"] for s in slots if s["search"] == n] for n in ("baseline", "roco")}
        closest = min(max(a, b) / min(a, b) for a in costs["baseline"] for b in costs["roco"])
        assert max(one, two) / min(one, two) == closest
        for row in pair.itertuples():
            slot = next(s for s in slots if s["key"] == row.key)
            white_box = slot["white_box"]["attacks"]
            assert (row.pgd, row.cw) == (white_box["pgd"]["accuracy"], white_box["cw"]["accuracy"])
            assert row.test == pytest.approx(1 - slot["test_error"])
            assert (row.parameters, row.search_flops) == (slot["parameters"], slot["search_flops"])
    assert numbers[numbers["source"] == "paper"]["pgd"].tolist() == [0.5096, 0.5656]
    assert numbers[numbers["source"] == "reference"]["key"].tolist() == ["0123456789e1"]


def test_differences_are_those_of_the_raw_files(made: SimpleNamespace) -> None:
    numbers = made.tables["differences"].numbers
    for count in made.config.report.top:
        gains = []
        for seed in made.config.seeds:
            roco, base = (
                mean(s["white_box"]["attacks"]["pgd"]["correct"] / 200 for s in lightest_raw(made, name, seed, count))
                for name in ("roco", "baseline")
            )
            gains.append(roco - base)
        row = numbers[(numbers["selection"] == f"top_{count}") & (numbers["metric"] == "pgd")].iloc[0]
        assert row["difference"] == pytest.approx(mean(gains), abs=1e-12)
        expected = ttest_1samp(gains, 0)
        # Beside the seeds, the images that all of them share.
        assert row["p"] >= expected.pvalue - 1e-9
        assert row["low"] <= expected.confidence_interval(0.95).low + 1e-9
        assert row["deviation"] == pytest.approx(stdev(gains))
    # Three seeds decide nothing.
    assert not numbers["resolved"].any()


def test_differences_are_shown_by_metric_with_a_star_where_resolved(made: SimpleNamespace) -> None:
    table = made.tables["differences"]
    numbers = table.numbers.set_index(["metric", "selection"])
    assert table.header[3:] == ("equal FLOPs", "equal FLOPs, interpolated", "top-1", "top-3", "top-5")
    assert [row[2] for row in table.rows][:3] == ["all attacks within 4/255", "adversarial set", "test images"]
    for metric, row in zip(dict.fromkeys(table.numbers["metric"]), table.rows, strict=True):
        for selection, cell in zip(("equal_flops", "interpolated", "top_1", "top_3", "top_5"), row[3:], strict=True):
            found = numbers.loc[(metric, selection)]
            assert cell.startswith(f"{100 * found['difference']:+.1f} (".replace("-", "−"))
            assert ("*" in cell) == found["resolved"]
            assert ("†" in cell) == found["main"]


def test_equal_flops_pairs_stay_within_a_tenth(made: SimpleNamespace) -> None:
    slots = raw_slots(made)
    row = made.tables["differences"].numbers.query("selection == 'equal_flops' and metric == 'test'").iloc[0]
    gains: dict[int, list[float]] = defaultdict(list)
    for seed in made.config.seeds:
        free = {n: [s for s in slots if s["search"] == n and s["seed"] == seed] for n in ("roco", "baseline")}
        while free["roco"] and free["baseline"]:
            pairs = [
                (max(a["flops"], b["flops"]) / min(a["flops"], b["flops"]), a, b)
                for a in free["roco"]
                for b in free["baseline"]
            ]
            ratio, one, two = min(pairs, key=lambda pair: pair[0])
            if ratio > 1.1:
                break
            gains[seed].append(two["test_error"] - one["test_error"])
            free["roco"].remove(one)
            free["baseline"].remove(two)
    assert row["networks"] == sum(map(len, gains.values()))
    assert row["difference"] == pytest.approx(mean(mean(found) for found in gains.values()), abs=1e-12)


def test_table_1_counts_rates_and_the_papers_counts(made: SimpleNamespace) -> None:
    numbers = made.tables["table_1"].numbers
    assert len(numbers) == 2 * 2 * 2 * 2
    for row in numbers.itertuples():
        assert row.rate == row.successes / row.attacked
        assert row.paper_samples == ADVERSARIAL_SAMPLES[row.target][row.norm, row.threshold]
    shown = made.tables["table_1"].rows
    assert shown[0][:4] == ("test", "LeNet", "50", "7 (14.0)")
    assert shown[2][:2] == ("test", "all")
    assert shown[2][-1] == str(7 * (1 + 3 + 1 + 3) + 7 * (2 + 4 + 2 + 4))


def test_papers_own_numbers_add_up() -> None:
    assert {target: sum(counts.values()) for target, counts in ADVERSARIAL_SAMPLES.items()} == {
        "densenet": 1194, "lenet": 3366, "resnet": 1881, "vgg16": 3350,
    }  # fmt: skip


def test_white_box_has_every_slot_and_says_what_failed(made: SimpleNamespace) -> None:
    numbers = read_numbers(made.folder / "tables" / "white_box.csv")
    assert len(numbers) == 2 * 3 * 6 + 1
    expected = {
        (s["search"], s["seed"], s["slot"]): s["white_box"]["attacks"]["cw"]["accuracy"] for s in raw_slots(made)
    }
    found = {(r.search, r.seed, r.slot): r.cw for r in numbers.itertuples() if r.status == "ok"}
    assert found == expected
    failed = numbers[numbers["status"] == "failed"]
    assert failed["reason"].tolist() == ["loss is NaN"] * 6
    assert failed["cw"].isna().all()
    assert "failed: loss is NaN" in made.tables["white_box"].markdown()


def test_of_attacks_without_a_budget_the_distance_comes_first(made: SimpleNamespace) -> None:
    numbers = read_numbers(made.folder / "tables" / "white_box.csv").set_index(["search", "seed", "slot"])
    points = pd.read_csv(made.folder / "figures" / "figure_6.csv")
    compared = made.tables["table_5"].numbers.set_index(["search", "seed", "slot"])
    cells = made.tables["white_box"].cells
    column = cells[0].index("C&W, L₂ (left, %)")
    assert "BIM" in cells[0]
    assert "C&W, L₂ (left, %)" in made.tables["table_5"].cells[0]
    sound = [s for s in raw_slots(made) if s["status"] == "ok"]
    for slot in sound:
        place, found = (slot["search"], slot["seed"], slot["slot"]), slot["white_box"]["attacks"]["cw"]
        assert numbers.loc[place, "cw_median_l2"] == found["median_l2"]
        [cell] = [row[column] for row in cells if slot["key"] in row[2] and row[:2] == (place[0], str(place[1]))]
        assert cell == f"{found['median_l2']:.3g} ({100 * found['accuracy']:.1f})"
        point = points[(points[["search", "seed", "slot"]] == list(place)).all(axis=1) & (points["metric"] == "cw")]
        assert point["distance"].tolist() == [found["median_l2"]]
        if place in compared.index:
            assert compared.loc[place, "cw_median_l2"] == found["median_l2"]
    assert set(points[points["kind"] == "trend"]["metric"]).isdisjoint({"cw", "deepfool"})
    assert len(sound) > 20
    assert "6 networks failed" in made.tables["table_3"].markdown()


def test_searches_count_each_network_once_and_the_shared_start(made: SimpleNamespace) -> None:
    numbers = made.tables["searches"].numbers
    # 4 generations of 8 by its own, and the other search's first 8, which lie in the shared start as well.
    assert numbers["evaluated"].tolist() == [40] * 6
    assert numbers["failed"].tolist() == [5] * 6


def test_a_key_that_looks_like_a_number_stays_text(made: SimpleNamespace) -> None:
    numbers = read_numbers(made.folder / "tables" / "white_box.csv")
    assert numbers.loc[numbers["search"] == "references", "key"].tolist() == ["0123456789e1"]


def test_tables_are_the_same_bytes_again_whatever_the_order_of_files(made: SimpleNamespace, tmp_path: Path) -> None:
    mixed = {name: tuple(reversed(paths)) for name, paths in vars(made.files).items()}
    write_tables(collect(StudyFiles(**mixed)), made.config, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{item.name}.{suffix}" for item in TABLES for suffix in ("csv", "md", "tex"))
    for name in names:
        one, two = ((folder / name).read_bytes() for folder in (tmp_path, made.folder / "tables"))
        assert hashlib.sha256(one).digest() == hashlib.sha256(two).digest(), name


def test_latex_is_booktabs_with_its_marks_escaped(made: SimpleNamespace) -> None:
    text = made.tables["table_5"].latex()
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"C\&W" in text
    assert r"paper\_roco" in text
    assert text.count(r"\\") == len(made.tables["table_5"].cells)


def test_one_seed_is_never_resolved_and_one_network_has_the_images_interval(tmp_path: Path) -> None:
    config = config_of(seeds=[4])
    study = collect(fabricate(tmp_path, config, networks=1, bonus=0.25).files)
    tables = {table.name: table for table in make_tables(study, config)}
    assert not tables["differences"].numbers["resolved"].any()
    assert tables["differences"].numbers["low"].isna().all()
    assert set(tables["table_3"].numbers["basis"]) == {"test images, of this training alone"}
    assert "Fewer networks than N were retrained in baseline seed 4 (1)" in tables["table_3"].markdown()


def test_other_names_of_searches_and_more_than_two(tmp_path: Path) -> None:
    searches = {"wide": ["error", "adversarial_error"], "cheap": ["error", "flops"], "small": ["error", "parameters"]}
    config = config_of(searches, seeds=[0, 1])
    numbers = {t.name: t.numbers for t in make_tables(collect(fabricate(tmp_path, config).files), config)}
    assert set(numbers["differences"]["reference"]) == {"cheap"}
    assert list(dict.fromkeys(numbers["differences"]["search"])) == ["wide", "small"]
    assert numbers["table_3"]["paper_accuracy"].isna().all()
    assert set(numbers["table_5"]["source"]) == {"seed 0", "seed 1", "reference"}


def test_one_search_an_empty_adversarial_set_and_only_failures(tmp_path: Path) -> None:
    config = config_of({"alone": ["error"]}, seeds=[0])
    study = FabricatedStudy(tmp_path, config)
    study.targets()
    study.adversarial_sets(successes=0)
    study.search("alone", 0, networks=2, failed=2)
    tables = {table.name: table for table in make_tables(collect(study.files), config)}
    assert tables["differences"].rows == ()
    assert tables["table_3"].rows == (("alone", "–", "–", "–"),)
    assert set(tables["table_1"].numbers["rate"]) == {0.0}
    assert len(tables["white_box"].rows) == 2


def test_networks_without_adversarial_images_still_have_the_rest(tmp_path: Path) -> None:
    config = config_of(seeds=[0])
    study = fabricate(tmp_path, config, networks=2)
    for path in list(study.paths["robustness"]):
        content = json.loads(path.read_text())["content"]
        if content["status"] == "ok":
            study.paths["robustness"].remove(path)
            study.slot(
                content | {"adversarial_breakdown": [], "adversarial_error": 0.0, "adversarial_sources": NO_SOURCES}
            )
    tables = {table.name: table for table in make_tables(collect(study.files), config)}
    assert {cell for row in tables["table_3"].rows[:2] for cell in row[1:]} == {"–"}
    assert not any("–" in row[1:] for row in tables["table_4"].rows)
    assert "adversarial_set" not in set(tables["differences"].numbers["metric"])
    _, beside, _ = answer(tables["differences"].numbers, tables["table_3"].numbers, config)
    assert "under PGD" in beside
    assert "adversarial set" not in beside
