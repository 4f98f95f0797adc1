"""What becomes of a network does not hang on those that are trained beside it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from small_training import Small, Smooth, batch_sizes, data_of, fresh, recipe_of, state_bytes
from torch import nn

from roco import steps, training
from roco.batches import Supply
from roco.config import Recipe
from roco.steps import Trainee, is_out_of_memory
from roco.training import Start, Training, train, train_together, train_within_memory

MAKERS: tuple[Callable[[], nn.Module], ...] = (Small, lambda: Small(channels=7), Smooth)


def alone(make: Callable[[], nn.Module], recipe: Recipe, n: int) -> tuple[list[float], bytes]:
    images, labels = data_of(n)
    network = fresh(make)
    losses = train(network, images, labels=labels, recipe=recipe, seed=5)
    return losses, state_bytes(network)


def together(makers: Sequence[Callable[[], nn.Module]], recipe: Recipe, n: int) -> list[Training]:
    images, labels = data_of(n)
    trainings = [Training(fresh(make)) for make in makers]
    train_together(trainings, images, labels=labels, recipe=recipe, seed=5)
    return trainings


# Last batches of 4, of 1 (left out), and none.
@pytest.mark.parametrize("n", [20, 17, 16])
@pytest.mark.parametrize("changes", [{}, {"gradient_clip": 0.01}, {"momentum": 0.0}, {"precision": "bf16"}])
def test_side_by_side_gives_the_bytes_of_each_alone(n: int, changes: dict[str, object]) -> None:
    recipe = recipe_of(**changes)
    for make, one in zip(MAKERS, together(MAKERS, recipe, n), strict=True):
        assert one.failure is None
        assert not one.network.training
        assert (one.losses, state_bytes(one.network)) == alone(make, recipe, n)


def broken() -> nn.Module:
    network = Small()
    nn.init.constant_(network[5].weight, math.nan)
    return network


def test_a_network_without_a_loss_leaves_its_neighbours_alone() -> None:
    first, bad, last = together([Small, broken, Smooth], recipe_of(), 20)
    assert bad.failure == "the training loss of epoch 1 is nan"
    assert (bad.losses, bad.out_of_memory) == ([], False)
    for make, one in ((Small, first), (Smooth, last)):
        assert (one.losses, state_bytes(one.network)) == alone(make, recipe_of(), 20)


def test_no_step_is_taken_for_a_network_that_has_failed() -> None:
    images, labels = data_of()
    networks = [fresh(broken), fresh(Small)]
    sizes = [batch_sizes(network) for network in networks]
    trainings = [Training(network) for network in networks]
    train_together(trainings, images, labels=labels, recipe=recipe_of(), seed=5)
    assert sizes == [[8, 8, 4], [8, 8, 4] * 4]


class Greedy:
    """Makes networks that run out of memory at the second pass while they have neighbours, or with whole batches."""

    def __init__(self, *, smallest: int) -> None:
        self.smallest, self.sizes = smallest, list[list[int]]()

    def __call__(self) -> nn.Module:
        network = fresh(Small)
        sizes = batch_sizes(network)
        self.sizes.append(sizes)
        crowded = len(self.sizes) == 1

        def fail(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            if len(sizes) >= 2 and (crowded or len(inputs[0]) > self.smallest):
                raise torch.OutOfMemoryError("CUDA out of memory")

        network.register_forward_pre_hook(fail)
        return network


@pytest.mark.parametrize(("smallest", "pieces"), [(8, 1), (4, 2)])
def test_memory_that_neighbours_had_is_no_reason_for_smaller_batches(smallest: int, pieces: int) -> None:
    images, labels = data_of()
    greedy = Greedy(smallest=smallest)
    starts = [Start(lambda: fresh(Smooth)), Start(greedy), Start(lambda: fresh(MAKERS[1]))]
    found = train_within_memory(starts, images, labels=labels, recipe=recipe_of(), seed=5)
    assert [one.failure for one in found] == [None] * 3
    assert len(greedy.sizes) == pieces + 1
    expected = fresh(Small)
    losses = train(expected, images, labels=labels, recipe=recipe_of(), seed=5, pieces=pieces)
    assert (found[1].losses, state_bytes(found[1].network)) == (losses, state_bytes(expected))
    for make, one in ((Smooth, found[0]), (MAKERS[1], found[2])):
        assert (one.losses, state_bytes(one.network)) == alone(make, recipe_of(), 20)


def test_memory_that_runs_out_for_all_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    fill, calls = Supply.fill, list[int]()

    def starved(self: Supply, first: int) -> list[int]:
        calls.append(first)
        if len(calls) == 2:
            raise MemoryError
        return fill(self, first)

    monkeypatch.setattr(Supply, "fill", starved)
    images, labels = data_of()
    starts = [Start(lambda: fresh(Small)), Start(lambda: fresh(Smooth))]
    found = train_within_memory(starts, images, labels=labels, recipe=recipe_of(), seed=5)
    monkeypatch.setattr(Supply, "fill", fill)
    assert [one.failure for one in found] == [None, None]
    for make, one in ((Small, found[0]), (Smooth, found[1])):
        assert (one.losses, state_bytes(one.network)) == alone(make, recipe_of(), 20)


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
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_a_training_goes_on_after_a_stop_as_if_there_was_none(tmp_path: Path) -> None:
    images, labels = data_of()
    for number, (make, stop) in enumerate(((Small, 1), (Smooth, 3))):
        path = tmp_path / f"{number}.safetensors"
        first, second = Training(fresh(make), path), Training(fresh(make, seed=9), path)
        train_together([first], images, labels=labels, recipe=recipe_of(), seed=5, until=stop)
        assert len(first.losses) == stop
        assert path.exists()
        if number == 0:
            train_together([second], images, labels=labels, recipe=recipe_of(), seed=5)
            assert (second.losses, state_bytes(second.network)) == alone(make, recipe_of(), 20)
            assert not path.exists()
    # One goes on after epoch 3, beside one that begins.
    trainings = [Training(fresh(Small)), Training(fresh(Smooth, seed=9), tmp_path / "1.safetensors")]
    train_together(trainings, images, labels=labels, recipe=recipe_of(), seed=5)
    for make, one in zip((Small, Smooth), trainings, strict=True):
        assert (one.losses, state_bytes(one.network)) == alone(make, recipe_of(), 20)


def test_a_checkpoint_of_a_later_epoch_is_not_gone_on_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, labels = data_of()
    later, wanted, first = (Training(fresh(Small), tmp_path / "one.safetensors") for _ in range(3))
    first.checkpoint = None
    for one, stop in ((later, 3), (wanted, 2), (first, 2)):
        train_together([one], images, labels=labels, recipe=recipe_of(), seed=5, until=stop)
    assert "expected epoch 2 or before, found 3" in caplog.text
    assert (wanted.losses, state_bytes(wanted.network)) == (first.losses, state_bytes(first.network))


@pytest.mark.parametrize("n", [20, 17])
def test_windows_of_a_whole_epoch_as_on_a_gpu_give_the_same_bytes(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [alone(make, recipe_of(), n) for make in MAKERS]

    class Whole(Supply):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named | {"window": 99})  # type: ignore[arg-type]

    monkeypatch.setattr(training, "Supply", Whole)
    found = together(MAKERS, recipe_of(), n)
    assert [(one.losses, state_bytes(one.network)) for one in found] == expected


class Recorded:
    """Stands in the place of a CUDA graph, where there is none: the step that it was recorded from, on its tensors."""

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

    def with_capture(self: Trainee, *arguments: object, **named: object) -> None:
        begin(self, *arguments, **named)  # type: ignore[arg-type]
        self.capture = True

    monkeypatch.setattr(Trainee, "__init__", with_capture)
    monkeypatch.setattr(Trainee, "_capture", capture)
    recipe = recipe_of(epochs=6)
    found = together([Small], recipe, 20)
    # Batches of 8, 8, 4: the fourth of 8 is the first that is captured, and the fourth of 4.
    assert captured == [(8, 4), (4, 6)]
    assert steps.WARM_UP == 3
    monkeypatch.undo()
    assert (found[0].losses, state_bytes(found[0].network)) == alone(Small, recipe, 20)
