import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_study import GENOMES, RECIPE, TinyStudy, make_tiny_study

from roco.errors import ArtifactError, RocoError
from roco.networks.files import KIND, describe_genome, load_network
from roco.retraining.fronts import Retraining, RetrainingSettings, occupants, retrain
from roco.search.population import Individual, unevaluated, write_front
from roco.space.complexity import complexity
from roco.storage.artifacts import read_tensors, write_json
from roco.storage.store import Store

SETTINGS = RetrainingSettings(channels=3, training=RECIPE, validation_images_too=True, stem_padding=1)


def individual_of(index: int) -> Individual:
    return unevaluated(GENOMES[index], channels=2, classes=3, stem_padding=1, image_size=16)


def retrain_tiny(tiny: TinyStudy, folder: Path, *, index: int = 1, seed: int = 0, **changes: Any) -> dict[str, Any]:
    [record] = retrain(
        [Retraining(individual_of(index), seed, folder / "network.safetensors")],
        replace(SETTINGS, **changes),
        dataset_path=tiny.dataset_path,
        device="cpu",
        store=Store(folder / "store"),
    )
    return record


def test_a_slot_is_a_place_in_the_front(tmp_path: Path) -> None:
    front = [individual_of(index) for index in (2, 0)]
    write_front(tmp_path / "front.json", front, search="roco", seed=0, objectives=["error"])
    assert [occupants(tmp_path / "front.json", slots=slots) for slots in (1, 4)] == [front[:1], front]


def test_a_retrained_network_has_both_widths_and_its_file(tiny: TinyStudy, tmp_path: Path) -> None:
    result = retrain_tiny(tiny, tmp_path)
    narrow, wide = (
        complexity(GENOMES[1].phenotype, channels=channels, classes=3, stem_padding=1, image_size=16)
        for channels in (2, 3)
    )
    assert (result["search_flops"], result["search_parameters"]) == (narrow.flops, narrow.parameters)
    assert (result["flops"], result["parameters"], result["channels"]) == (wide.flops, wide.parameters, 3)
    assert (result["status"], result["reason"], result["epochs"]) == ("ok", None, RECIPE["epochs"])
    assert (result["genome"], result["key"]) == (str(GENOMES[1]), GENOMES[1].key)
    assert len(result["train_loss"]) == RECIPE["epochs"]
    write_json(tmp_path / "training.json", "training", result)
    network, description = load_network(tmp_path / "network.safetensors")
    assert sum(parameter.numel() for parameter in network.parameters()) == wide.parameters
    expected = describe_genome(GENOMES[1], channels=3, classes=3, stem_padding=1)
    about = {"dataset": "tiny", "dataset_fingerprint": tiny.dataset.fingerprint}
    about |= {"image_size": 16, "class_names": ["red", "green", "blue"]}
    assert description == expected | about
    assert torch.allclose(network.normalise.mean.flatten(), torch.tensor(tiny.dataset.channel_mean))


def test_the_same_settings_give_the_same_file_and_another_seed_another(tiny: TinyStudy, tmp_path: Path) -> None:
    contents = []
    for number, seed in enumerate((0, 0, 1)):
        retrain_tiny(tiny, tmp_path / str(number), seed=seed)
        contents.append((tmp_path / str(number) / "network.safetensors").read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("learning_rate", [0.1, 1e36])
def test_progress_counts_what_has_failed_and_what_was_trained_before(
    tiny: TinyStudy, tmp_path: Path, learning_rate: float, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "roco")
    for _ in range(2):
        caplog.clear()
        for seed in (0, 1):
            training = RECIPE | {"learning_rate": learning_rate, "gradient_clip": None}
            retrain_tiny(tiny, tmp_path, seed=seed, training=training)
        assert sum(getattr(each, "progress", {}).get("networks", 0) for each in caplog.records) == 2


def test_a_training_that_diverges_gives_a_file_without_weights(tiny: TinyStudy, tmp_path: Path) -> None:
    result = retrain_tiny(tiny, tmp_path, training=RECIPE | {"learning_rate": 1e36, "gradient_clip": None})
    assert result["status"] == "failed"
    assert result["reason"].startswith("the training loss of epoch")
    assert result["search_flops"] < result["flops"]
    assert read_tensors(tmp_path / "network.safetensors", KIND) == ({}, {})
    with pytest.raises(ArtifactError):
        load_network(tmp_path / "network.safetensors")


def without_seconds(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "seconds"}


def test_processes_give_what_one_gives(tiny: TinyStudy, tmp_path: Path) -> None:
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        work = [
            Retraining(individual_of(index), seed, folder / f"{index}_{seed}.safetensors")
            for index in (0, 1)
            for seed in (0, 3)
        ]
        records = retrain(
            work,
            SETTINGS,
            dataset_path=tiny.dataset_path,
            device="cpu",
            store=Store(folder / "store"),
            processes=processes,
            log_file=str(tmp_path / "log"),
        )
        files = [each.network_path.read_bytes() for each in work]
        found[processes] = ([without_seconds(record) for record in records], files)
    assert found[1] == found[2]
    assert len(set(found[1][1])) == 4
    assert f"{GENOMES[0].key} epoch 2/2 loss" in (tmp_path / "log").read_text()


def test_what_ends_a_process_ends_the_job_with_one_line(tmp_path: Path) -> None:
    study = make_tiny_study(tmp_path)
    study.dataset_path.write_bytes(b"no data set")
    work = [Retraining(individual_of(index), 0, tmp_path / f"{index}.safetensors") for index in (0, 1)]
    arguments: dict[str, Any] = {
        "dataset_path": study.dataset_path,
        "device": "cpu",
        "store": Store(tmp_path / "store"),
    }
    with pytest.raises(RocoError, match=r"dataset\.h5") as caught:
        retrain(work, SETTINGS, **arguments, processes=2, log_file=str(tmp_path / "log"))
    assert "\n" not in str(caught.value)
    assert retrain([], SETTINGS, **arguments) == []
