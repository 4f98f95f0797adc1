"""Trains many networks: groups those that can be one stack, and halves a stack or its batches when memory runs out."""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from roco.errors import OUT_OF_MEMORY
from roco.settings import Recipe
from roco.storage.artifacts import digest
from roco.training import loop
from roco.training.stacks.stack import likeness

log = logging.getLogger("roco")

# Between two checkpoints on a GPU: a stack has hundreds of megabytes, and writing them may take as long as an epoch.
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Start:
    """A training that has not begun.

    Attributes:
        key: names the training and everything that decides its result.
        fresh_network: makes the network, with the same weights each time.
        seed: see `Training`.
        alike: equal for networks of one shape, which can form a stack if their nodes have a stacked form; None: the
            network is trained alone.
        on_epoch: see `Training`.
    """

    key: str
    fresh_network: Callable[[], nn.Module]
    seed: int
    alike: Hashable | None = None
    on_epoch: Callable[[int, float], None] | None = None


def train_all(
    starts: Sequence[Start],
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    largest_stack: int = 1,
    checkpoints: Path | None = None,
) -> Iterator[list[tuple[int, loop.Training]]]:
    """Trains fresh networks: on a GPU those that are alike in stacks, on a CPU one after the other.

    When memory runs out, a stack is trained again from the start as two halves, and a single network with each batch in
    two halves. If memory does not suffice even then, the training's `failure` says so. Images, labels and recipe are
    those of `train_together`.

    Args:
        largest_stack: the largest number of networks in a stack.
        checkpoints: the folder of checkpoints, which are written after each epoch, on a GPU every `CHECKPOINT_SECONDS`;
            None: none are written.

    Yields:
        Trainings that ended together, each with its number in `starts`.
    """
    numbers: dict[Hashable, list[int]] = {}
    for number, start in enumerate(starts):
        alike = ("alone", number) if start.alike is None or not loop.stacks_on(images.device) else start.alike
        numbers.setdefault(alike, []).append(number)
    pending = [(part, 1) for alike in numbers.values() for part in _parts(alike, largest_stack)]
    while pending:
        part, pieces = pending.pop(0)
        begun = [starts[number] for number in part]
        trainings = [loop.Training(start.fresh_network(), start.seed, start.on_epoch) for start in begun]
        if len(part) > 1 and likeness(trainings[0].network) is None:
            # Nodes without a stacked form.
            pending = [([number], pieces) for number in part] + pending
            continue
        name = digest([start.key for start in begun], length=20) if len(part) > 1 else begun[0].key
        checkpoint = checkpoints and checkpoints / f"{name}-{pieces}.safetensors"
        loop.train_together(
            trainings,
            images,
            labels=labels,
            recipe=recipe,
            pieces=pieces,
            checkpoint=checkpoint,
            checkpoint_seconds=CHECKPOINT_SECONDS if images.is_cuda else 0.0,
        )
        again = _smaller(part, pieces) if trainings[0].out_of_memory else []
        if again:
            what = f"{len(part)} networks at once" if len(part) > 1 else f"batches of {recipe.batch_size}"
            log.warning("out of memory with %s; trained again in two halves", what)
            pending = again + pending
            # Frees their memory before the next networks are made.
            del trainings
            if images.is_cuda:
                torch.cuda.empty_cache()
            continue
        for each in trainings:
            if each.out_of_memory:
                each.failure = f"{OUT_OF_MEMORY}, also with batches of {recipe.batch_size // 2}"
        yield list(zip(part, trainings, strict=True))


def _parts(numbers: Sequence[int], largest: int) -> Iterator[list[int]]:
    """Cuts into parts of nearly equal sizes, none larger than `largest`."""
    count = -(-len(numbers) // max(1, largest))
    for part in range(count):
        yield list(numbers[part * len(numbers) // count : (part + 1) * len(numbers) // count])


def _smaller(part: Sequence[int], pieces: int) -> list[tuple[list[int], int]]:
    """What to train after memory ran out, as parts and pieces of a batch; nothing if there is nothing left to try."""
    if len(part) > 1:
        return [(half, pieces) for half in _parts(part, -(-len(part) // 2))]
    return [(list(part), 2)] if pieces == 1 else []
