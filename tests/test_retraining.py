from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_study import GENOMES, RECIPE, TinyStudy

from roco.artifacts import read_tensors, write_json
from roco.errors import ArtifactError
from roco.networks import KIND, describe_genome, load_network
from roco.retraining import RetrainingSettings, occupant, retrain
from roco.search.population import Individual, unevaluated, write_front
from roco.space.complexity import complexity
from roco.store import Store

SETTINGS = RetrainingSettings(channels=3, training=RECIPE, validation_images_too=True, seed=0, stem_padding=1)


def individual_of(index: int) -> Individual:
    return unevaluated(GENOMES[index], channels=2, classes=3, stem_padding=1, image_size=16)


def retrain_tiny(tiny: TinyStudy, folder: Path, *, index: int = 1, **changes: Any) -> dict[str, Any]:
    return retrain(
        individual_of(index),
        replace(SETTINGS, **changes),
        dataset_path=tiny.dataset_path,
        network_path=folder / "network.safetensors",
        device="cpu",
        store=Store(folder / "store"),
    )


def test_a_slot_is_a_place_in_the_front(tmp_path: Path) -> None:
    front = [individual_of(index) for index in (2, 0)]
    write_front(tmp_path / "front.json", front, search="roco", seed=0, objectives=["error"])
    assert [occupant(tmp_path / "front.json", slot=slot) for slot in range(4)] == [*front, None, None]


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


def test_a_training_that_diverges_gives_a_file_without_weights(tiny: TinyStudy, tmp_path: Path) -> None:
    result = retrain_tiny(tiny, tmp_path, training=RECIPE | {"learning_rate": 1e36, "gradient_clip": None})
    assert result["status"] == "failed"
    assert result["reason"].startswith("the training loss of epoch")
    assert result["search_flops"] < result["flops"]
    assert read_tensors(tmp_path / "network.safetensors", KIND) == ({}, {})
    with pytest.raises(ArtifactError):
        load_network(tmp_path / "network.safetensors")
