"""Trainings that are interrupted, and checkpoints that do not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small_training import Small, Smooth, data_of, fresh, recipe_of, state_bytes, train
from torch import nn


class Interrupted(Exception):
    pass


def interrupt_at(passes: int) -> Callable[..., None]:
    """A hook that raises at that forward pass."""
    left = iter(range(passes))

    def hook(*_: object) -> None:
        if next(left, None) is None:
            raise Interrupted

    return hook


# Of 4 epochs of 3 batches: within the first, within the second, at the start of the fourth.
@pytest.mark.parametrize("passes", [1, 5, 9])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(passes: int, momentum: float, tmp_path: Path) -> None:
    images, labels = data_of()
    checkpoint, recipe = tmp_path / "checkpoint.safetensors", recipe_of(momentum=momentum)
    whole, first, second = fresh(Small), fresh(Small), fresh(Small, seed=0 if passes < 3 else 99)
    losses = train(whole, images, labels=labels, recipe=recipe, seed=3)
    first.register_forward_pre_hook(interrupt_at(passes))
    with pytest.raises(Interrupted):
        train(first, images, labels=labels, recipe=recipe, seed=3, checkpoint=checkpoint)
    assert checkpoint.exists() == (passes > 2)
    epochs: list[int] = []
    resumed = train(
        second,
        images,
        labels=labels,
        recipe=recipe,
        seed=3,
        checkpoint=checkpoint,
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    assert epochs == list(range(passes // 3 + 1, 5))
    assert resumed == losses
    assert state_bytes(second) == state_bytes(whole)
    assert not list(tmp_path.iterdir())


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "damage", "message"),
    [
        (Small, flip_a_bit, "does not match its checksum"),
        (lambda: Small(channels=5), lambda _: None, "a checkpoint of another network"),
        (Smooth, lambda _: None, "a checkpoint of another network"),
    ],
    ids=["damaged", "another shape", "another network"],
)
def test_a_checkpoint_that_does_not_fit_is_ignored(
    make: Callable[[], nn.Module],
    damage: Callable[[Path], None],
    message: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images, labels = data_of()
    checkpoint, interrupted, whole, network = tmp_path / "training.safetensors", fresh(Small), fresh(make), fresh(make)
    interrupted.register_forward_pre_hook(interrupt_at(4))
    with pytest.raises(Interrupted):
        train(interrupted, images, labels=labels, recipe=recipe_of(), seed=0, checkpoint=checkpoint)
    damage(checkpoint)
    losses = train(whole, images, labels=labels, recipe=recipe_of(), seed=0)
    assert train(network, images, labels=labels, recipe=recipe_of(), seed=0, checkpoint=checkpoint) == losses
    assert state_bytes(network) == state_bytes(whole)
    assert message in caplog.text
    # One line, however long torch's message is.
    assert len(caplog.text.splitlines()) == 1
    assert not checkpoint.exists()
