"""A network's result does not depend on the networks that are trained with it."""

import copy
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from genome_networks import KINDS, networks_of, random_genomes
from small_training import SLOW, Small, assert_as_alone, data_of, fresh, recipe_of, state_bytes, train
from torch import nn

from roco.networks.decoder import GenomeNetwork
from roco.settings import Recipe
from roco.space.complexity import NodeKind
from roco.training import loop, steps
from roco.training.adversarial import AdversarialRecipe
from roco.training.batches import Supply
from roco.training.loop import Training, train_together
from roco.training.prediction import predict, predict_together
from roco.training.steps import Trainee, is_out_of_memory


def trained_together(networks: list[GenomeNetwork], recipe: Recipe, n: int = 20, **changes: Any) -> list[Training]:
    images, labels = data_of(n)
    seeds = changes.pop("seeds", {})
    trainings = [Training(network, seeds.get(row, 5)) for row, network in enumerate(networks)]
    train_together(trainings, images, labels=labels, recipe=recipe, **changes)
    return trainings


def assert_trained_as_alone(
    networks: list[GenomeNetwork], recipe: Recipe, tolerance: float, *, n: int = 20, seeds: dict[int, int] | None = None
) -> None:
    networks = [network.double() for network in networks]
    alone = copy.deepcopy(networks)
    for training, network in zip(trained_together(networks, recipe, n, seeds=seeds or {}), alone, strict=True):
        assert_as_alone(training, network, recipe, n, tolerance)
        assert training.stack == len(networks)


@pytest.mark.parametrize(("node", "seeds"), [*product(KINDS, ({}, {1: 6}))])
@pytest.mark.parametrize("adversarial", [{"method": "pgd", "steps": 3}, {"method": "trades", "steps": 2}])
def test_each_network_of_a_stack_has_adversarial_images_of_its_own(
    adversarial: dict[str, Any], node: NodeKind, seeds: dict[int, int]
) -> None:
    recipe = AdversarialRecipe.model_validate(recipe_of(**SLOW).model_dump() | {"adversarial": adversarial})
    assert_trained_as_alone(networks_of(random_genomes(3, active=2, nodes=4), node=node), recipe, 1e-9, seeds=seeds)


CHANGES: list[dict[str, Any]] = [{"gradient_clip": None}, {"gradient_clip": 0.05}, {"momentum": 0.0}, {"cutout": 0}]


# Last batches of 4, of 1 (left out), and none.
@pytest.mark.parametrize(("active", "count", "n"), [*product((1, 2, 3), (1, 2, 7), (20,)), (3, 2, 17), (3, 2, 16)])
@pytest.mark.parametrize("node", KINDS)
def test_a_stack_trains_as_each_alone(node: NodeKind, active: int, count: int, n: int) -> None:
    # Three dense phases of six pixels a side end in single pixels, whose variance magnifies rounding at each step.
    fragile = (node, active) == ("dense", 3)
    recipe = recipe_of(**SLOW, epochs=1 if fragile else 4)
    networks = networks_of(random_genomes(count, active=active, nodes=4), node=node)
    assert_trained_as_alone(networks, recipe, 1e-7 if fragile else 1e-10, n=n)


@pytest.mark.parametrize(("changes", "seeds"), [*((changes, {}) for changes in CHANGES), ({}, {1: 6})])
def test_clipping_momentum_cutout_and_order_are_each_networks_own(
    changes: dict[str, Any], seeds: dict[int, int]
) -> None:
    networks = networks_of(random_genomes(3, active=2, nodes=4))
    assert_trained_as_alone(networks, recipe_of(**SLOW | changes), 1e-10, seeds=seeds)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", 0.1)])
def test_in_lower_precision_it_does_up_to_rounding(precision: str, tolerance: float) -> None:
    recipe = recipe_of(**SLOW, precision=precision, epochs=2)
    networks = networks_of(random_genomes(4, active=2, nodes=4))
    alone = copy.deepcopy(networks)
    for actual, network in zip(trained_together(networks, recipe), alone, strict=True):
        assert_as_alone(actual, network, recipe, 20, tolerance)


def test_smaller_pieces_of_a_batch_give_what_they_give_a_network_alone() -> None:
    recipe = recipe_of(**SLOW)
    networks = [network.double() for network in networks_of(random_genomes(1, active=2, nodes=4) * 2)]
    alone = copy.deepcopy(networks[0])
    trained_together([alone], recipe, pieces=2)
    trained_together(networks, recipe, pieces=2)
    for tensor, want in zip(networks[0].state_dict().values(), alone.state_dict().values(), strict=True):
        torch.testing.assert_close(tensor, want, rtol=1e-10, atol=1e-10)


def broken(networks: list[GenomeNetwork], row: int = 1) -> list[GenomeNetwork]:
    nn.init.constant_(networks[row].classify.weight, math.nan)
    return networks


def test_a_network_without_a_loss_leaves_the_others_bytes_as_they_are() -> None:
    genomes = random_genomes(3, active=2, nodes=4)
    sound = trained_together(networks_of(genomes), recipe_of())
    first, bad, last = trained_together(broken(networks_of(genomes)), recipe_of())
    assert (bad.failure, bad.losses, bad.out_of_memory) == ("the training loss of epoch 1 is nan", [], False)
    for actual, expected in ((first, sound[0]), (last, sound[2])):
        assert (actual.losses, state_bytes(actual.network)) == (expected.losses, state_bytes(expected.network))


class StopError(Exception):
    """Stands for an interruption."""


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_stack_goes_on_after_an_interruption_as_if_there_was_none(epochs: int, tmp_path: Path) -> None:
    path, genomes = tmp_path / "stack.safetensors", random_genomes(3, active=3, nodes=4)
    whole = trained_together(broken(networks_of(genomes)), recipe_of())

    def stop(epoch: int, loss: float) -> None:
        if epoch == epochs:
            raise StopError

    images, labels = data_of()
    interrupted = [Training(network, 5) for network in broken(networks_of(genomes))]
    interrupted[0].on_epoch = stop
    with pytest.raises(StopError):
        train_together(interrupted, images, labels=labels, recipe=recipe_of(), checkpoint=path)
    assert path.exists()
    told: list[int] = []
    resumed = [Training(network, 5) for network in networks_of(genomes)]
    resumed[0].on_epoch = lambda epoch, loss: told.append(epoch)
    train_together(resumed, images, labels=labels, recipe=recipe_of(), checkpoint=path)
    assert told == list(range(epochs + 1, 5))
    for actual, expected in zip(resumed, whole, strict=True):
        assert (actual.losses, actual.failure) == (expected.losses, expected.failure)
        if actual.failure is None:
            assert state_bytes(actual.network) == state_bytes(expected.network)
    assert not path.exists()


def test_a_checkpoint_waits_until_one_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(loop, "save_checkpoint", lambda *_, epochs: saved.append(epochs))
    images, labels = data_of()
    for seconds in (0.0, 1000.0):
        train_together(
            [Training(fresh(Small), 5)],
            images,
            labels=labels,
            recipe=recipe_of(),
            checkpoint=tmp_path / "a.safetensors",
            checkpoint_seconds=seconds,
        )
    assert saved == [1, 2, 3]


def test_a_checkpoint_of_other_networks_is_not_gone_on_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "one.safetensors"
    images, labels = data_of()

    def stop(epoch: int, loss: float) -> None:
        raise StopError

    with pytest.raises(StopError):
        train(fresh(Small), images, labels=labels, recipe=recipe_of(), seed=5, checkpoint=path, on_epoch=stop)
    networks = networks_of(random_genomes(2, active=2, nodes=4))
    expected = trained_together(copy.deepcopy(networks), recipe_of())
    actual = [Training(network, 5) for network in networks]
    train_together(actual, images, labels=labels, recipe=recipe_of(), checkpoint=path)
    assert "a checkpoint of other networks (training begins anew)" in caplog.text
    assert [state_bytes(each.network) for each in actual] == [state_bytes(each.network) for each in expected]


def test_memory_that_the_images_take_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fill, calls = Supply.fill, list[int]()

    def starved(self: Supply, first: int) -> list[int]:
        calls.append(first)
        if len(calls) == 2:
            raise MemoryError
        return fill(self, first)

    monkeypatch.setattr(Supply, "fill", starved)
    images, labels = data_of()
    training = Training(fresh(Small), 5)
    train_together([training], images, labels=labels, recipe=recipe_of())
    assert (training.failure, training.out_of_memory) == ("out of memory", True)


def end_a_broken_capture() -> None:
    try:
        raise torch.OutOfMemoryError("CUDA out of memory")
    finally:
        raise RuntimeError("operation failed due to a previous error during capture")


def test_memory_that_ran_out_is_found_behind_later_errors() -> None:
    with pytest.raises(RuntimeError, match="during capture") as caught:
        end_a_broken_capture()
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("CUDNN_STATUS_ALLOC_FAILED"))
    assert is_out_of_memory(RuntimeError("Triton Error [CUDA]: out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


@pytest.mark.parametrize("n", [20, 17])
def test_windows_of_a_whole_epoch_as_on_a_gpu_give_the_same_bytes(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    genomes = random_genomes(2, active=2, nodes=4)
    expected = trained_together(networks_of(genomes), recipe_of(), n)

    class Whole(Supply):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named | {"window": 99})

    monkeypatch.setattr(loop, "Supply", Whole)
    actual = trained_together(networks_of(genomes), recipe_of(), n)
    for training, other in zip(actual, expected, strict=True):
        assert (training.losses, state_bytes(training.network)) == (other.losses, state_bytes(other.network))


class Recorded:
    """Stands for a CUDA graph: replays the step by executing it again."""

    def __init__(self, trainee: Trainee, size: int) -> None:
        self.trainee, self.size = trainee, size

    def replay(self) -> None:
        self.trainee._step(self.size)


def test_every_size_of_batch_is_captured_after_its_warm_up_and_the_training_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    captured: list[tuple[int, int]] = []

    def capture(self: Trainee, size: int) -> None:
        captured.append((size, sum(self.seen.values())))
        self.graphs[size] = Recorded(self, size)  # type: ignore[assignment]

    begin = Trainee.__init__

    def with_capture(self: Trainee, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        self.capture = True

    genomes, recipe = random_genomes(2, active=2, nodes=4), recipe_of(epochs=6)
    expected = trained_together(networks_of(genomes), recipe)
    monkeypatch.setattr(Trainee, "__init__", with_capture)
    monkeypatch.setattr(Trainee, "_capture", capture)
    actual = trained_together(networks_of(genomes), recipe)
    # Batches of 8, 8, 4: the fourth of 8 is the first that is captured, and the fourth of 4.
    assert captured == [(8, 4), (4, 6)]
    assert steps.WARM_UP == 3
    for training, other in zip(actual, expected, strict=True):
        assert (training.losses, state_bytes(training.network)) == (other.losses, state_bytes(other.network))


def test_several_networks_are_predicted_in_the_same_passes() -> None:
    networks = networks_of(random_genomes(3, active=2, nodes=4))
    images, _ = data_of()
    trained_together(networks, recipe_of(**SLOW))
    together = predict_together(networks, images)
    assert [each.tolist() for each in together] == [predict(network, images).tolist() for network in networks]
    assert [each.shape for each in predict_together(networks, images[:0])] == [(0,)] * 3
    assert predict_together([], images) == []
