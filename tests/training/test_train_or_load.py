from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import spec_of
from tiny_study import GENOMES, RECIPE, TinyStudy

from roco.errors import TrainingFailed
from roco.networks.spec import TargetSpec
from roco.settings import Recipe
from roco.storage.store import Store
from roco.training import loop
from roco.training.batches import to_unit
from roco.training.train_or_load import TrainingRequest, TrainingResult, error_on, train_or_load, train_or_load_all

LENET = TargetSpec(name="lenet", architecture={"width": 0.5}, classes=3, image_size=16)


def train_tiny(tiny: TinyStudy, store: Store, **changes: Any) -> TrainingResult:
    arguments = {"recipe": Recipe(**RECIPE), "device": "cpu", "validation_images_too": False} | changes
    request = TrainingRequest(
        arguments.pop("spec", spec_of()), arguments.pop("weights_seed", 0), arguments.pop("order_seed", 0)
    )
    [(_, result)] = train_or_load_all([request], arguments.pop("dataset", tiny.dataset), store=store, **arguments)
    return result


def logits(result: TrainingResult, tiny: TinyStudy) -> torch.Tensor:
    with torch.no_grad():
        return result.trained(to_unit(torch.from_numpy(tiny.dataset.test.images)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def no_training(*_: object, **__: object) -> None:
    raise AssertionError("trained again")


def test_a_finished_training_is_not_repeated(tiny: TinyStudy, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = train_tiny(tiny, store)
    assert len(first.losses) == RECIPE["epochs"]
    monkeypatch.setattr(loop, "train_together", no_training)
    second = train_tiny(tiny, store)
    assert second.losses == first.losses
    assert torch.equal(logits(first, tiny), logits(second, tiny))
    assert not first.trained.training
    assert not second.trained.training


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_seed": 1},
        {"order_seed": 1},
        {"recipe": Recipe(**RECIPE | {"weight_decay": 0.1})},
        {"recipe": Recipe(**RECIPE | {"precision": "bf16"})},
        {"validation_images_too": True},
        {"spec": spec_of(channels=3)},
        {"spec": LENET},
    ],
)
def test_what_decides_a_training_makes_it_another(tiny: TinyStudy, store: Store, changes: dict[str, Any]) -> None:
    results = [train_tiny(tiny, store, **extra) for extra in ({}, changes)]
    assert not torch.equal(logits(results[0], tiny), logits(results[1], tiny))
    assert len(list((store.root / "network").iterdir())) == 2


def test_another_data_set_makes_it_another(tiny: TinyStudy, store: Store) -> None:
    train_tiny(tiny, store)
    train_tiny(tiny, store, dataset=replace(tiny.dataset, fingerprint="f00d"))
    assert len(list((store.root / "network").iterdir())) == 2


@pytest.mark.parametrize("too", [False, True])
def test_validation_images_are_trained_on_when_asked(
    tiny: TinyStudy, store: Store, too: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def train_together(trainings: list[loop.Training], images: torch.Tensor, **arguments: Any) -> None:
        seen.extend([images, arguments["labels"]])

    monkeypatch.setattr(loop, "train_together", train_together)
    train_tiny(tiny, store, validation_images_too=too)
    splits = [tiny.dataset.train, tiny.dataset.validation] if too else [tiny.dataset.train]
    assert np.array_equal(seen[0].numpy(), np.concatenate([split.images for split in splits]))
    assert np.array_equal(seen[1].numpy(), np.concatenate([split.labels for split in splits]))


def test_an_interrupted_training_goes_on(
    tiny: TinyStudy, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_tiny(tiny, Store(tmp_path / "whole"))
    train_together = loop.train_together

    def killed(trainings: list[loop.Training], *arguments: Any, **named: Any) -> None:
        def stop(epoch: int, loss: float) -> None:
            raise KeyboardInterrupt

        trainings[0].on_epoch = stop
        train_together(trainings, *arguments, **named)

    monkeypatch.setattr(loop, "train_together", killed)
    with pytest.raises(KeyboardInterrupt):
        train_tiny(tiny, store)
    monkeypatch.setattr(loop, "train_together", train_together)
    assert len(list((store.root / "checkpoint").iterdir())) == 1
    resumed = train_tiny(tiny, store)
    assert resumed.losses == whole.losses
    assert torch.equal(logits(resumed, tiny), logits(whole, tiny))
    assert not list((store.root / "checkpoint").iterdir())
    (resumed_file,), (whole_file,) = ((root / "network").iterdir() for root in (store.root, tmp_path / "whole"))
    assert resumed_file.name == whole_file.name
    assert resumed_file.read_bytes() == whole_file.read_bytes()


def test_a_failed_training_leaves_no_network(tiny: TinyStudy, store: Store) -> None:
    recipe = Recipe(**RECIPE | {"learning_rate": 1e36, "gradient_clip": None})
    result = train_tiny(tiny, store, recipe=recipe)
    with pytest.raises(TrainingFailed, match="the training loss of epoch"):
        _ = result.trained
    assert not (store.root / "network").exists()


def test_a_damaged_network_in_the_store_counts_as_missing(
    tiny: TinyStudy, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    first = train_tiny(tiny, store)
    (path,) = (store.root / "network").iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    assert train_tiny(tiny, store).losses == first.losses
    assert f"{path}: " in caplog.text
    assert path.read_bytes() == content


def test_the_error_is_the_share_of_wrong_images(tiny: TinyStudy, store: Store) -> None:
    result = train_tiny(tiny, store)
    wrong = logits(result, tiny).argmax(dim=1).numpy() != tiny.dataset.test.labels
    assert 0 < wrong.sum() < 15
    assert error_on(tiny.dataset.test, result.trained) == pytest.approx(wrong.sum() / 15)


def test_networks_that_are_alike_are_trained_as_a_stack_and_kept_each(
    tiny: TinyStudy, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [*map(spec_of, GENOMES), LENET, spec_of(GENOMES[0])]
    requests = [TrainingRequest(spec, row, row // 2) for row, spec in enumerate(specs)]
    named: dict[str, Any] = {"recipe": Recipe(**RECIPE), "device": "cpu"}
    alone = [train_or_load(request, tiny.dataset, store=Store(tmp_path / "alone"), **named) for request in requests]
    monkeypatch.setattr(loop, "stacks_on", lambda device: True)
    together = dict(train_or_load_all(requests, tiny.dataset, store=store, largest_stack=9, **named))
    assert [together[row].stack for row in range(5)] == [4, 4, 4, 1, 4]
    for row, result in enumerate(alone):
        assert together[row].losses == pytest.approx(result.losses, rel=1e-3)
    names = [{path.name for path in (root / "network").iterdir()} for root in (store.root, tmp_path / "alone")]
    assert names[0] == names[1]
    monkeypatch.setattr(loop, "train_together", no_training)
    again = dict(train_or_load_all(requests, tiny.dataset, store=store, largest_stack=9, **named))
    assert [again[row].losses for row in range(5)] == [together[row].losses for row in range(5)]
