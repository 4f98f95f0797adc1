import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from made_records import spec_of
from tiny_study import GENOMES, RECIPE, TinyStudy, make_tiny_study

from roco.errors import ArtifactError, RocoError
from roco.networks.files import KIND, load_network
from roco.networks.spec import DecoderSettings
from roco.retraining.records import EndedTraining, FailedTraining, Slot, read_training, write_training
from roco.retraining.retrain import Retraining, RetrainingSettings, retrain
from roco.search.population import unevaluated
from roco.settings import Recipe
from roco.storage.artifacts import read_tensors
from roco.storage.store import Store

DECODER = DecoderSettings(channels=3, stem_padding=1)
SETTINGS = RetrainingSettings(decoder=DECODER, training=Recipe(**RECIPE), validation_images_too=True)


def retraining_of(path: Path, *, index: int = 1, seed: int = 0) -> Retraining:
    slot = Slot(search="roco", seed=0, slot=index, training_seed=seed)
    individual = unevaluated(spec_of(GENOMES[index], stem_padding=1))
    return Retraining(individual=individual, slot=slot, network_path=path)


def retrain_tiny(tiny: TinyStudy, folder: Path, *, seed: int = 0, **changes: Any) -> EndedTraining | FailedTraining:
    [record] = retrain(
        [retraining_of(folder / "network.safetensors", seed=seed)],
        SETTINGS.model_copy(update=changes),
        dataset_path=tiny.dataset_path,
        device="cpu",
        store=Store(folder / "store"),
    )
    return record


def test_a_retrained_network_has_both_widths_and_its_file(tiny: TinyStudy, tmp_path: Path) -> None:
    result = retrain_tiny(tiny, tmp_path)
    narrow, wide = (spec_of(stem_padding=1, channels=channels) for channels in (2, 3))
    assert isinstance(result, EndedTraining)
    assert (result.search_flops, result.search_parameters) == (narrow.cost.flops, narrow.cost.parameters)
    assert (result.flops, result.parameters, result.channels) == (wide.cost.flops, wide.cost.parameters, 3)
    assert (result.reason, result.epochs, result.recipe) == (None, RECIPE["epochs"], SETTINGS.training)
    assert (result.genome, result.key, result.slot) == (str(GENOMES[1]), GENOMES[1].key, 1)
    assert len(result.train_loss) == RECIPE["epochs"]
    write_training(tmp_path / "training.json", result)
    assert read_training(tmp_path / "training.json") == result
    network, description = load_network(tmp_path / "network.safetensors")
    assert sum(parameter.numel() for parameter in network.parameters()) == wide.cost.parameters
    assert description.plain() == {
        **wide.model_dump(),
        "dataset": "tiny",
        "dataset_fingerprint": tiny.dataset.fingerprint,
        "class_names": ("red", "green", "blue"),
    }
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
            training = Recipe(**RECIPE | {"learning_rate": learning_rate, "gradient_clip": None})
            retrain_tiny(tiny, tmp_path, seed=seed, training=training)
        assert sum(getattr(each, "progress", {}).get("networks", 0) for each in caplog.records) == 2


def test_a_training_that_diverges_gives_a_file_without_weights(tiny: TinyStudy, tmp_path: Path) -> None:
    result = retrain_tiny(tiny, tmp_path, training=Recipe(**RECIPE | {"learning_rate": 1e36, "gradient_clip": None}))
    assert isinstance(result, FailedTraining)
    assert result.reason.startswith("the training loss of epoch")
    assert result.search_flops < result.flops
    assert read_tensors(tmp_path / "network.safetensors", KIND) == ({}, {})
    with pytest.raises(ArtifactError):
        load_network(tmp_path / "network.safetensors")


def test_processes_give_what_one_gives(tiny: TinyStudy, tmp_path: Path) -> None:
    found = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        work = [
            retraining_of(folder / f"{index}_{seed}.safetensors", index=index, seed=seed)
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
        found[processes] = ([record.model_copy(update={"seconds": 0.0}) for record in records], files)
    assert found[1] == found[2]
    assert len(set(found[1][1])) == 4
    assert f"{GENOMES[0].key} epoch 2/2 loss" in (tmp_path / "log").read_text()


def test_what_ends_a_process_ends_the_job_with_one_line(tmp_path: Path) -> None:
    study = make_tiny_study(tmp_path)
    study.dataset_path.write_bytes(b"no data set")
    work = [retraining_of(tmp_path / f"{index}.safetensors", index=index) for index in (0, 1)]
    arguments: dict[str, Any] = {
        "dataset_path": study.dataset_path,
        "device": "cpu",
        "store": Store(tmp_path / "store"),
    }
    with pytest.raises(RocoError, match=r"dataset\.h5") as caught:
        retrain(work, SETTINGS, **arguments, processes=2, log_file=str(tmp_path / "log"))
    assert "\n" not in str(caught.value)
    assert retrain([], SETTINGS, **arguments) == []
