"""Many networks, as on a GPU: which are one stack, and what is tried when memory runs out."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from genome_networks import networks_of, random_genomes
from small_training import SLOW, assert_as_alone, data_of, recipe_of, state_bytes, train
from torch import Tensor, nn

from roco.networks.decoder import GenomeNetwork
from roco.training import loop
from roco.training.loop import Training
from roco.training.stacks.stack import Stack
from roco.training.steps import Trainee
from roco.training.train_all import Start, train_all


@pytest.fixture
def stacking(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Stacks are used on a CPU too; gives the sizes of those that were trained."""
    monkeypatch.setattr(loop, "stacks_on", lambda device: True)
    sizes: list[int] = []
    begin = Trainee.__init__

    def noted(self: Trainee, module: nn.Module, *arguments: Any, **named: Any) -> None:
        sizes.append(len(module) if isinstance(module, Stack) else 0)
        begin(self, module, *arguments, **named)

    monkeypatch.setattr(Trainee, "__init__", noted)
    return sizes


def starts_of(networks: list[GenomeNetwork], alike: Callable[[int], Any] = lambda row: 0) -> list[Start]:
    return [
        Start(f"key {row}", lambda network=network: copy.deepcopy(network), 5, alike(row))  # type: ignore[misc]
        for row, network in enumerate(networks)
    ]


def all_trained(starts: list[Start], **named: Any) -> tuple[list[Training], list[list[int]]]:
    """The trainings in the order of their starts, and which ended together."""
    images, labels = data_of()
    ended = list(train_all(starts, images, labels=labels, recipe=recipe_of(**SLOW), **named))
    actual = dict(pair for part in ended for pair in part)
    return [actual[row] for row in range(len(starts))], [[row for row, _ in part] for part in ended]


def test_stacks_are_of_networks_that_are_alike_and_of_nearly_one_size(stacking: list[int]) -> None:
    networks = networks_of(random_genomes(5, active=2, nodes=4)) + networks_of(random_genomes(2, active=3, nodes=4))
    networks = [network.double() for network in networks]
    starts = starts_of(networks, lambda row: None if row == 4 else row > 4)
    actual, together = all_trained(starts, largest_stack=3)
    assert together == [[0, 1], [2, 3], [4], [5, 6]]
    assert stacking == [2, 2, 1, 2]
    for each, network in zip(actual, networks, strict=True):
        assert_as_alone(each, network, recipe_of(**SLOW), 20, 1e-10)
        assert each.stack == (1 if each is actual[4] else 2)


def test_nodes_without_a_stacked_form_are_trained_alone(stacking: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roco.training.stacks.stack.STACKED_PHASES", {})
    networks = networks_of(random_genomes(3, active=2, nodes=4))
    actual, together = all_trained(starts_of(networks), largest_stack=3)
    assert together == [[0], [1], [2]]
    assert stacking == [0, 0, 0]
    images, labels = data_of()
    assert actual[2].losses == train(networks[2], images, labels=labels, recipe=recipe_of(**SLOW), seed=5)


def test_a_cpu_trains_each_alone_and_its_bytes_are_those_of_the_network_alone() -> None:
    networks = networks_of(random_genomes(3, active=2, nodes=4))
    actual, together = all_trained(starts_of(networks), largest_stack=3)
    assert together == [[0], [1], [2]]
    images, labels = data_of()
    for each, network in zip(actual, networks, strict=True):
        assert each.losses == train(network, images, labels=labels, recipe=recipe_of(**SLOW), seed=5)
        assert state_bytes(each.network) == state_bytes(network)


def short_of_memory(monkeypatch: pytest.MonkeyPatch, *, networks: int, images: int) -> None:
    """Stacks of more networks, or batches of more images, run out of memory."""
    forward = Stack.forward

    def checked(self: Stack, batch: Tensor) -> Tensor:
        if len(self) > networks or len(batch) > images:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, batch)

    monkeypatch.setattr(Stack, "forward", checked)


def test_a_stack_that_is_too_large_is_trained_in_halves(
    stacking: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    short_of_memory(monkeypatch, networks=2, images=8)
    networks = [network.double() for network in networks_of(random_genomes(5, active=2, nodes=4))]
    actual, together = all_trained(starts_of(networks), largest_stack=5, checkpoints=tmp_path)
    assert together == [[0, 1], [2], [3, 4]]
    assert stacking[0] == 5
    for each, network in zip(actual, networks, strict=True):
        assert_as_alone(each, network, recipe_of(**SLOW), 20, 1e-10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("largest", [1, 2])
def test_an_error_that_may_be_one_of_memory_is_one_for_several_networks_only(
    largest: int, stacking: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, write_back, text = Stack.forward, Stack.write_back, "GET was unable to find an engine to execute this"

    def checked(self: Stack, batch: Tensor) -> Tensor:
        if len(self) >= largest:
            raise RuntimeError(f"{text} computation")
        return forward(self, batch)

    def starved(self: Stack) -> None:
        assert len(self) < largest, "memory is full"
        write_back(self)

    monkeypatch.setattr(Stack, "forward", checked)
    monkeypatch.setattr(Stack, "write_back", starved)
    starts = starts_of(networks_of(random_genomes(2, active=2, nodes=4)))
    if largest == 1:
        with pytest.raises(RuntimeError, match=text):
            all_trained(starts, largest_stack=2)
    else:
        assert all_trained(starts, largest_stack=2)[1] == [[0], [1]]


def test_on_a_gpu_checkpoints_are_a_minute_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named: dict[str, Any] = {}
    monkeypatch.setattr(loop, "train_together", lambda *_, **given: named.update(given))
    for kind, seconds in (("cpu", 0.0), ("cuda", 60.0)):
        images: Any = SimpleNamespace(is_cuda=kind == "cuda", device=torch.device(kind))
        [start] = starts_of(networks_of(random_genomes(1, active=1)))
        list(train_all([start], images, labels=images, recipe=recipe_of(), checkpoints=tmp_path))
        assert named["checkpoint_seconds"] == seconds
        assert named["checkpoint"] == tmp_path / f"{start.key}-1.safetensors"


def test_where_one_network_is_too_large_its_batch_is_halved(
    stacking: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = networks_of(random_genomes(2, active=2, nodes=4))
    short_of_memory(monkeypatch, networks=1, images=4)
    actual, _ = all_trained(starts_of(networks), largest_stack=2)
    monkeypatch.undo()
    images, labels = data_of()
    for each, network in zip(actual, networks, strict=True):
        losses = train(network, images, labels=labels, recipe=recipe_of(**SLOW), seed=5, pieces=2)
        assert each.losses == pytest.approx(losses, rel=1e-3)
