"""Records: what is read is what was written, and what does not fit is one line that names the file and the field."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_records import ended_training, evaluation, failed_training, individual, measured_network

from roco.errors import ArtifactError
from roco.retraining.records import (
    EmptySlot,
    Robustness,
    read_robustness,
    read_training,
    write_robustness,
    write_training,
)
from roco.search.records import Front, Population, read_evaluations, write_evaluations
from roco.storage.artifacts import read_json, write_json

EMPTY = EmptySlot(search="roco", seed=0, slot=3, training_seed=0)


def test_what_was_not_measured_is_not_written(tmp_path: Path) -> None:
    measured = evaluation(measured={"latency": 1.5})
    write_evaluations(tmp_path / "shard.json", [evaluation(), measured])
    assert ["measured" in each for each in read_json(tmp_path / "shard.json", "evaluations")] == [False, True]
    assert read_evaluations(tmp_path / "shard.json") == [evaluation(), measured]
    write_robustness(tmp_path / "robustness.json", measured_network())
    white_box = read_json(tmp_path / "robustness.json", "robustness")["white_box"]
    assert set(white_box) == {"images", "clean_accuracy", "right_images", "attacks"}
    assert "found_by" not in white_box["attacks"]["pgd"]


@pytest.mark.parametrize("record", [EMPTY, failed_training(), measured_network()], ids=lambda record: record.status)
def test_the_status_says_what_a_record_of_robustness_is(record: Robustness, tmp_path: Path) -> None:
    write_robustness(tmp_path / "robustness.json", record)
    assert read_robustness(tmp_path / "robustness.json") == record
    before = (tmp_path / "robustness.json").read_bytes()
    write_robustness(tmp_path / "robustness.json", read_robustness(tmp_path / "robustness.json"))
    assert (tmp_path / "robustness.json").read_bytes() == before


def test_a_record_for_something_else_is_refused(tmp_path: Path) -> None:
    write_training(tmp_path / "training.json", ended_training())
    assert read_training(tmp_path / "training.json", {"seed": 0}) == ended_training()
    with pytest.raises(ArtifactError, match="expected seed 1, found 0: it was made for something else"):
        read_training(tmp_path / "training.json", {"seed": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"networks": 3}, "search: Field required"),
        ([3], "Input should be a valid dictionary"),
        ({"networks": [{"flops": "many"}]}, "networks.0.genome: Field required"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(content: Any, message: str, tmp_path: Path) -> None:
    whole = {} if isinstance(content, list) or "search" in message else {"search": "a", "seed": 0, "objectives": []}
    write_json(tmp_path / "front.json", "front", content if isinstance(content, list) else whole | content)
    with pytest.raises(ArtifactError) as caught:
        Front.load(tmp_path / "front.json")
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'front.json'}: not what 'front' holds (ValueError: ")
    assert message in line
    assert "\n" not in line


def test_a_record_never_changes() -> None:
    member = individual()
    with pytest.raises(ValueError, match="frozen"):
        member.rank = 1  # type: ignore[misc]
    population = Population(search="a", seed=0, generation=0, objectives=["error"], individuals=[member], seen=["a"])
    assert population.individuals == (member,)


def test_records_and_specs_are_read_without_torch() -> None:
    modules = "roco.networks.spec, roco.training.records, roco.attacks.records, roco.search.records, "
    modules += (
        "roco.retraining.records, roco.report.read.collect, roco.study.search_progress, roco.study.network_lookup"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
