from collections import defaultdict
from statistics import mean
from types import SimpleNamespace

import pandas as pd
import pytest
from fabricated_study import config_of, fabricate
from scipy.stats import spearmanr

from roco.report.measures.topology import FEATURES
from roco.report.numbers.format import NO_VALUE
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables.objective import make as objective_value
from roco.report.tables.survivors import make as survivors
from roco.report.tables.topology import make as topology
from roco.report.tables.white_box import _images_seen
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_json


def raw_fronts(made: SimpleNamespace) -> list[dict]:
    contents = [read_json(path, "front") for path in made.files.fronts]
    return [{**one, "search": c["search"], "seed": c["seed"]} for c in contents for one in c["networks"]]


def test_the_objective_is_correlated_with_the_raw_accuracies(made: SimpleNamespace) -> None:
    slots = [slot for path in made.files.robustness if (slot := read_json(path, "robustness"))["status"] == "ok"]
    accuracy = {(s["seed"], s["key"]): s["white_box"]["attacks"]["pgd"]["accuracy"] for s in slots}
    pairs = {
        place: (one["adversarial_error"], accuracy[place])
        for one in raw_fronts(made)
        if (place := (one["seed"], one["key"])) in accuracy
    }
    errors, accuracies = zip(*pairs.values(), strict=True)
    numbers = made.tables["objective"].numbers.set_index(["predictor", "metric"])
    row = numbers.loc["adversarial_error", "pgd"]
    assert row["networks"] == len(pairs)
    assert row["correlation"] == pytest.approx(-spearmanr(errors, accuracies).statistic)
    assert row["low"] < row["correlation"] < row["high"]


def test_topology_is_that_of_the_phenotypes(made: SimpleNamespace) -> None:
    numbers = made.tables["topology"].numbers.set_index(["feature", "quantity", "search"])
    edges: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in raw_fronts(made):
        phases = Genome.parse(one["genome"]).phenotype.phases
        edges[one["search"]][one["seed"]].append(sum(len(sources) for phase in phases for sources in phase.inputs))
    means = {search: mean(mean(found) for found in seeds.values()) for search, seeds in edges.items()}
    for search, value in means.items():
        assert numbers.loc[("edges", "mean", search), "value"] == pytest.approx(value)
    difference = numbers.loc[("edges", "difference", "roco")]
    assert difference["value"] == pytest.approx(means["roco"] - means["baseline"])
    assert difference["low"] <= difference["value"] <= difference["high"]


def test_features_of_a_published_network_by_hand() -> None:
    network = Genome.parse(PUBLISHED_GENOMES["paper_roco"]).phenotype
    counted = {name: count(network) for name, (_, count) in FEATURES.items()}
    # Side by side: 1, 2 and 3 nodes; ends: 1, 2 and 1.
    assert counted == {"phases": 3, "depth": 10, "width": 6, "nodes": 14, "edges": 16, "ends": 4, "residual": 2}


def test_survivors_are_counted_from_the_populations(made: SimpleNamespace) -> None:
    generations = defaultdict(set)
    for path in made.files.populations:
        content = read_json(path, "population")
        for one in content["individuals"]:
            generations[content["search"], content["seed"], one["key"]].add(content["generation"])
    numbers = made.tables["survivors"].numbers
    found = {(r.search, r.seed, r.key): r.generations for r in numbers.itertuples()}
    # A network that a population has lost does not come back.
    assert found == {place: len(seen) for place, seen in generations.items() if place in found}
    assert numbers["generations"].is_monotonic_decreasing
    assert len(made.tables["survivors"].rows) == min(20, len(numbers))


def test_tables_of_little_say_so(tmp_path) -> None:
    config = config_of({"alone": ["error", "flops"]}, seeds=[0])
    empty = collect(StudyFiles())
    for make in (objective_value, topology, survivors):
        assert all(cell in (NO_VALUE, "0") for row in make(empty, config).rows for cell in row[1:])
    one = collect(fabricate(tmp_path, config, networks=1).files)
    assert set(objective_value(one, config).numbers["networks"]) == {1}
    shown = pd.DataFrame(topology(one, config).rows)
    assert set(shown[2]) == {NO_VALUE}
    assert not set(shown[1]) & {NO_VALUE}


def test_the_table_says_which_attacks_see_how_many_images() -> None:
    attacks = pd.DataFrame({"attack": ["fgsm", "pgd", "fgsm", "pgd"], "images": [10000, 2500, 10000, 2500]})
    said = _images_seen(SimpleNamespace(attacks=attacks))
    assert said.startswith(
        "White-box attacks see 2,500 (pgd) or 10,000 (fgsm) test images: a 95 % interval of about ±2.0"
    )
    said = _images_seen(SimpleNamespace(attacks=attacks[attacks["attack"] == "fgsm"]))
    assert said.startswith("White-box attacks see 10,000 test images: a 95 % interval of about ±1.0")
