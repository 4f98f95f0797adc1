"""The section on networks that were trained in the standard way and adversarially, against numbers from the files."""

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import scipy.stats
from fabricated_study import FabricatedStudy, config_of, fabricate

from roco.config import StudyConfig
from roco.errors import ArtifactError
from roco.report.contents import BOTH_WAYS, TABLES, figures_of, tables_of
from roco.report.figures import write_figures
from roco.report.measures.main_comparison import main_measure
from roco.report.read.collect import Study, collect
from roco.report.tables import make_table, make_tables
from roco.storage.artifacts import read_json

RETRAINING = {"references": ["paper_roco"], "seeds": [0, 1]}
STANDARD = config_of(retraining=RETRAINING)
CONFIG = config_of(retraining=RETRAINING | {"adversarial": {"method": "pgd"}})
ITEMS = {item.name: item for item in BOTH_WAYS.tables}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> FabricatedStudy:
    """The same networks after a training in which the one search gains more."""
    folder = tmp_path_factory.mktemp("both")
    made, other = fabricate(folder, CONFIG), fabricate(folder / "other", CONFIG, bonus=0.2)
    for files, kind in (("robustness", "robustness"), ("trainings", "training")):
        for path in other.paths[files]:
            place = path.relative_to(other.folder / "retrained")
            content = read_json(path, kind) | {"adversarial": True}
            made.json(f"adversarial_{files}", f"retrained_adversarially/{place}", kind, content)
    return made


@pytest.fixture(scope="module")
def study(both: FabricatedStudy) -> Study:
    return collect(both.files)


def records(made: FabricatedStudy, files: str) -> Iterator[dict[str, Any]]:
    for path in made.paths[files]:
        record = read_json(path, "robustness")
        if record["status"] == "ok":
            yield record


def accuracies(made: FabricatedStudy, files: str) -> dict[tuple[Any, ...], float]:
    """The accuracy under PGD of each network, the mean over its trainings, from the files."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for record in records(made, files):
        key = (record["search"], record["seed"], record["slot"], record["key"])
        found.setdefault(key, []).append(record["white_box"]["attacks"]["pgd"]["accuracy"])
    return {key: statistics.mean(values) for key, values in found.items()}


def table(name: str, study: Study, config: StudyConfig = CONFIG) -> pd.DataFrame:
    return make_table(ITEMS[name], study, config).numbers


def test_all_other_tables_are_of_the_standard_training_alone(both: FabricatedStudy, study: Study) -> None:
    alone = collect(type(both.files)(**vars(both.files) | {"adversarial_robustness": (), "adversarial_trainings": ()}))
    plain, found = make_tables(alone, STANDARD), make_tables(study, CONFIG)
    assert [each.name for each in plain] == [item.name for item in TABLES]
    with_both = {each.name: each.csv() for each in found}
    assert set(with_both) - {item.name for item in TABLES} == set(ITEMS)
    assert {each.name: each.csv() for each in plain if each.name != "table_2"}.items() <= with_both.items()
    assert set(tables_of(STANDARD)) == set(TABLES)
    assert set(figures_of(CONFIG)) - set(figures_of(STANDARD)) == set(BOTH_WAYS.figures)
    assert study.adversarial is not None
    assert len(study.adversarial.networks) == len(study.networks)


def test_medians_of_a_search_are_those_of_its_networks(both: FabricatedStudy, study: Study) -> None:
    standard, adversarial = accuracies(both, "robustness"), accuracies(both, "adversarial_robustness")
    numbers = table("ways_by_search", study)
    for search in ("baseline", "roco", "references"):
        [row] = numbers[(numbers["search"] == search) & (numbers["metric"] == "pgd")].to_dict("records")
        keys = [key for key in standard if key[0] == search]
        assert row["networks"] == len(keys)
        assert row["standard"] == pytest.approx(statistics.median(standard[key] for key in keys))
        assert row["adversarial"] == pytest.approx(statistics.median(adversarial[key] for key in keys))
        assert row["change"] == pytest.approx(statistics.median(adversarial[key] - standard[key] for key in keys))
    assert numbers["metric"].iloc[0] == "test"
    by_network = table("ways_by_network", study)
    for row in by_network.to_dict("records"):
        key = (row["search"], row["seed"], row["slot"], row["key"])
        assert (row["pgd_standard"], row["pgd_adversarial"]) == pytest.approx((standard[key], adversarial[key]))
    assert len(by_network) == len(standard)


def test_the_rank_correlation_is_scipys_with_an_interval_around_it(both: FabricatedStudy, study: Study) -> None:
    pairs = {
        (seed, key): (value, accuracies(both, "adversarial_robustness")[search, seed, slot, key])
        for (search, seed, slot, key), value in accuracies(both, "robustness").items()
    }
    numbers = table("ways_correlation", study)
    [row] = numbers[numbers["metric"] == "pgd"].to_dict("records")
    assert (row["networks"], row["seeds"]) == (len(pairs), 3)
    assert row["correlation"] == pytest.approx(scipy.stats.spearmanr(*zip(*pairs.values(), strict=True)).statistic)
    assert -1 < row["low"] < row["correlation"] < row["high"] < 1


def test_searches_are_compared_within_each_training_as_in_the_main_table(study: Study) -> None:
    numbers = table("ways_differences", study)
    columns = ["search", "metric", "selection", "difference", "low", "high", "p"]
    main = make_table(next(item for item in TABLES if item.name == "differences"), study, CONFIG).numbers
    main = main[main["selection"].isin(["equal_flops", "interpolated"])]
    standard = numbers[numbers["way"] == "standard"]
    pd.testing.assert_frame_equal(standard[columns].reset_index(drop=True), main[columns].reset_index(drop=True))
    gains = numbers[(numbers["metric"] == "pgd") & (numbers["selection"] == "interpolated")].set_index("way")
    # The made-up gain is 0.08 after the standard training and 0.2 after the other.
    assert gains.loc["adversarial", "difference"] > gains.loc["standard", "difference"] + 0.05


def test_the_figure_draws_clean_accuracy_the_main_radius_and_the_strongest_attack(study: Study, tmp_path: Path) -> None:
    write_figures(study, CONFIG, tmp_path)
    drawn = pd.read_csv(tmp_path / "both_ways.csv")
    assert list(dict.fromkeys(drawn["metric"])) == ["test", main_measure(study, CONFIG).name, "pgd"]  # type: ignore[union-attr]
    assert set(drawn["search"]) == {"baseline", "roco", "references"}


def test_a_record_in_the_folder_of_the_other_training_is_refused(both: FabricatedStudy, tmp_path: Path) -> None:
    first = both.paths["robustness"][0]
    place = tmp_path / "retrained_adversarially" / first.relative_to(both.folder / "retrained")
    place.parent.mkdir(parents=True)
    shutil.copy(first, place)
    with pytest.raises(ArtifactError, match="adversarial"):
        collect(type(both.files)(adversarial_robustness=[place]))
