import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from fabricated_study import FabricatedStudy, config_of, fabricate
from raw_numbers import trainings_of

from roco.report.contents import TABLES
from roco.report.measures.paper import ADVERSARIAL_SAMPLES
from roco.report.page.answer import answer
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables import make_tables, write_tables

NO_SOURCES: dict[str, list[int]] = {"source_index": [], "images": [], "right": [], "noise_right": []}


def read_numbers(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"key": str, "genome": str})


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


def test_white_box_says_what_failed(made: SimpleNamespace) -> None:
    numbers = read_numbers(made.folder / "tables" / "white_box.csv")
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
    sound = trainings_of(made)
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
