"""Every kind of result, damaged or put in another's place: one line that names the file, and never taken as good."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import description_of, ended_training, evaluation, failed_training
from tiny_study import GENOMES, TinyStudy, make_tiny_study

from roco.attacks.sets import AdversarialSet, Cell
from roco.data.dataset import Dataset
from roco.errors import ArtifactError
from roco.networks.files import load_network, save_network
from roco.report.read.collect import StudyFiles, collect
from roco.retraining.records import write_robustness, write_training
from roco.search.population import individual_of
from roco.search.records import (
    Evaluation,
    Front,
    Population,
    evaluations_of_generation,
    read_genomes,
    write_evaluations,
    write_genomes,
)
from roco.storage.artifacts import write_json
from roco.storage.store import Store

PLACE: dict[str, Any] = {"search": "roco", "seed": 0}
ORIGIN = {"dataset_fingerprint": "f00d", "settings_hash": "beef"}


def evaluations_of(tiny: TinyStudy) -> list[Evaluation]:
    """Of all genomes, on the data of the study."""
    changes = {"dataset_fingerprint": tiny.dataset.fingerprint}
    return [evaluation(genome=str(genome), key=genome.key, **changes) for genome in GENOMES]


def write_cell(path: Path, tiny: TinyStudy) -> None:
    arrays = {
        "images": tiny.dataset.test.images,
        "labels": tiny.dataset.test.labels,
        "source_index": np.arange(15),
        "target_prediction": np.zeros(15, dtype=np.int64),
        "margin": np.ones(15, dtype=np.float32),
    }
    place = {"split": "test", "target": "lenet", "norm": "l0", "threshold": 1, "attacked": 20}
    Cell(**arrays, **place, settings={}, seed=0, versions={}, dataset_fingerprint="f00d").save(path)


def write_network(path: Path, tiny: TinyStudy) -> None:
    description = description_of(GENOMES[0])
    save_network(path, description.spec.build(mean=[0.0] * 3, std=[1.0] * 3), description)


def write_population(path: Path, tiny: TinyStudy) -> None:
    members = tuple(individual_of(each, born=0, objectives=()) for each in evaluations_of(tiny))
    Population(generation=1, objectives=("error",), individuals=members, seen=("a",), **PLACE, **ORIGIN).save(path)


def write_the_front(path: Path, tiny: TinyStudy) -> None:
    members = tuple(individual_of(each, born=0, objectives=()) for each in evaluations_of(tiny))
    Front(networks=members, objectives=("error",), dataset_fingerprint="f00d", **PLACE).save(path)


def genomes_beside(path: Path) -> Path:
    write_genomes(path.parent / "the_genomes.json", GENOMES, generation=1, **PLACE)
    return path.parent / "the_genomes.json"


@dataclass(frozen=True)
class Kind:
    """How a file of a kind is written, and how the workflow reads it."""

    name: str
    write: Callable[[Path, TinyStudy], None]
    read: Callable[[Path], object]


TARGET = {
    **{"split": "validation", "target": "lenet", "architecture": {}, "parameters": 3, "epochs": 1, "train_loss": [1.0]},
    **{"seed": 0, "precision": "fp32"},
    **{"validation_error": 0.1, "test_error": 0.1, "seconds": 1.0},
}
KINDS = [
    Kind("dataset.h5", lambda path, tiny: tiny.dataset.save(path), Dataset.load),
    Kind("cell.h5", write_cell, Cell.load),
    Kind("set.h5", lambda path, tiny: tiny.adversarial.save(path), AdversarialSet.load),
    Kind("network.safetensors", write_network, lambda path: load_network(path)[0].state_dict()),
    Kind(
        "genomes.json",
        lambda path, tiny: write_genomes(path, GENOMES, generation=1, **PLACE),
        lambda path: read_genomes(path, PLACE | {"generation": 1}),
    ),
    Kind(
        "evaluations.json",
        lambda path, tiny: write_evaluations(path, evaluations_of(tiny)),
        lambda path: evaluations_of_generation([path], genomes_beside(path), PLACE | {"generation": 1}),
    ),
    Kind("population.json", write_population, lambda path: Population.load(path, PLACE | {"generation": 1} | ORIGIN)),
    Kind("front.json", write_the_front, lambda path: Front.load(path, PLACE)),
    Kind(
        "metrics.json",
        lambda path, tiny: write_json(path, "target", TARGET),
        lambda path: collect(StudyFiles(targets=[path])).targets.to_csv(),
    ),
    Kind(
        "training.json",
        lambda path, tiny: write_training(path, ended_training()),
        lambda path: collect(StudyFiles(trainings=[path])).trainings.to_csv(),
    ),
    Kind(
        "robustness.json",
        lambda path, tiny: write_robustness(path, failed_training()),
        lambda path: collect(StudyFiles(robustness=[path])).networks.to_csv(),
    ),
]


def content(value: object) -> str:
    """What was read, as text; arrays and tensors in full."""
    if isinstance(value, np.ndarray | torch.Tensor):
        return f"{value.dtype} {value.shape} {value.tolist()}"
    if isinstance(value, dict):
        return str({name: content(part) for name, part in value.items()})
    if isinstance(value, list | tuple):
        return str([content(part) for part in value])
    return content(vars(value)) if hasattr(value, "__dataclass_fields__") else repr(value)


def check_line(caught: pytest.ExceptionInfo[ArtifactError], path: Path) -> None:
    line = str(caught.value)
    assert "\n" not in line
    assert str(path.parent) in line
    assert any(word in line for word in ("delete it", "delete them", "make it anew"))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def path(kind: Kind, tiny: TinyStudy, tmp_path: Path) -> Path:
    kind.write(tmp_path / kind.name, tiny)
    kind.read(tmp_path / kind.name)
    return tmp_path / kind.name


def test_a_truncated_file_is_refused(kind: Kind, path: Path) -> None:
    whole = path.read_bytes()
    # The last byte of a JSON file is a line break, which nobody misses.
    for length in (*(len(whole) * twelfth // 12 for twelfth in range(12)), len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError) as caught:
            kind.read(path)
        check_line(caught, path)


def test_a_file_with_a_changed_byte_is_refused_or_reads_the_same(kind: Kind, path: Path) -> None:
    whole, expected, refused = path.read_bytes(), content(kind.read(path)), 0
    offsets = range(0, len(whole), max(1, len(whole) // 40))
    for offset in offsets:
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x11]) + whole[offset + 1 :])
        try:
            assert content(kind.read(path)) == expected, f"byte {offset}"
        except ArtifactError:
            refused += 1
    assert refused > len(offsets) // 2


def test_a_file_of_another_kind_is_refused(kind: Kind, path: Path, tiny: TinyStudy, tmp_path: Path) -> None:
    for other in KINDS:
        if other is not kind:
            other.write(tmp_path / "other" / other.name, tiny)
            shutil.copy(tmp_path / "other" / other.name, path)
            with pytest.raises(ArtifactError) as caught:
                kind.read(path)
            check_line(caught, path)


EMPTY = [
    {},
    [],
    None,
    "text",
    3,
    [3],
    {"networks": 3},
    {"genomes": [{}]},
    [{"seed": 0}],
    PLACE,
    PLACE | {"generation": 1},
]


@pytest.mark.parametrize(
    ("name", "label"), [(kind.name, kind.name.split(".")[0]) for kind in KINDS if ".json" in kind.name]
)
def test_a_whole_file_without_what_it_should_hold_is_refused(tmp_path: Path, name: str, label: str) -> None:
    (kind,) = (kind for kind in KINDS if kind.name == name)
    for value in EMPTY:
        write_json(tmp_path / name, "target" if label == "metrics" else label, value)
        with pytest.raises(ArtifactError) as caught:
            kind.read(tmp_path / name)
        assert "\n" not in str(caught.value)


OTHERS = [
    {"search": "baseline"},
    {"seed": 1},
    {"generation": 2},
    {"dataset_fingerprint": "bad"},
    {"settings_hash": "bad"},
]


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: next(iter(other)))
def test_a_population_of_another_search_or_study_is_refused(
    tiny: TinyStudy, tmp_path: Path, other: dict[str, Any]
) -> None:
    made_for = PLACE | {"generation": 1} | ORIGIN
    write_population(tmp_path / "population.json", tiny)
    population = Population.load(tmp_path / "population.json", made_for).model_copy(update=other)
    population.save(tmp_path / "population.json")
    with pytest.raises(ArtifactError, match=f"expected {next(iter(other))} .* it was made for something else"):
        Population.load(tmp_path / "population.json", made_for)


def test_evaluations_of_other_genomes_or_data_are_refused(tiny: TinyStudy, tmp_path: Path) -> None:
    made_for, paths = PLACE | {"generation": 1}, [tmp_path / f"shard_{number}.json" for number in range(2)]
    genomes = genomes_beside(tmp_path / "genomes.json")
    records, others = evaluations_of(tiny), evaluations_of(make_tiny_study(tmp_path, seed=50))
    for path, part in zip(paths, (records[:2], records[2:]), strict=True):
        write_evaluations(path, part)
    assert evaluations_of_generation(paths, genomes, made_for) == records
    for swapped in ([paths[1], paths[0]], [paths[0], paths[0]], [paths[0]], []):
        if swapped:
            with pytest.raises(ArtifactError, match="expected evaluations of the genomes in"):
                evaluations_of_generation(swapped, genomes, made_for)
    write_evaluations(paths[1], others[2:])
    with pytest.raises(ArtifactError, match=r"shard_1\.json: expected dataset_fingerprint"):
        evaluations_of_generation(paths, genomes, made_for)
    with pytest.raises(ArtifactError, match="expected generation 2, found 1"):
        evaluations_of_generation(paths[:1], genomes, made_for | {"generation": 2})


def test_slots_of_several_studies_or_in_the_wrong_place_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / f"retrained/roco/seed_0/slot_{slot:03d}/training_0/training.json" for slot in range(2)]
    for slot, path in enumerate(paths):
        write_training(path, ended_training(slot=slot))
    assert len(collect(StudyFiles(trainings=paths)).trainings) == 2
    write_training(paths[1], ended_training(slot=1, dataset_fingerprint="bad"))
    with pytest.raises(ArtifactError, match="expected dataset_fingerprint"):
        collect(StudyFiles(trainings=paths))
    shutil.copy(paths[0], paths[1])
    with pytest.raises(ArtifactError, match=r"slot_001.*expected slot 1, found 0"):
        collect(StudyFiles(trainings=paths))


@pytest.mark.parametrize("suffix", [".json", ".h5"])
def test_a_damaged_store_entry_counts_as_missing(tmp_path: Path, suffix: str) -> None:
    store, arrays = Store(tmp_path), {"changes": np.arange(50, dtype=np.uint8)}
    path = store.path("thing", "a", suffix=suffix)
    read = store.read if suffix == ".json" else store.read_arrays
    store.write("thing", "a", [1, 2, 3])
    store.write_arrays("thing", "a", arrays)
    whole, expected = path.read_bytes(), content(read("thing", "a"))
    for length in range(0, len(whole) - 1, len(whole) // 10):
        path.write_bytes(whole[:length])
        assert read("thing", "a") is None
    for offset in range(0, len(whole), max(1, len(whole) // 50)):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x11]) + whole[offset + 1 :])
        assert content(read("thing", "a")) in (expected, "None")
