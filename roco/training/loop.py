"""The training loop of search, retraining and targets.

A GPU trains networks of genomes as one stack (stacks/); all others are trained alone. The weights of the last epoch are
the result: none are chosen, so only training images are used. One step is in steps.py, its images come from batches.py.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from roco.errors import OUT_OF_MEMORY
from roco.settings import Recipe
from roco.training.batches import Supply
from roco.training.checkpoints import restore_checkpoint, save_checkpoint
from roco.training.stacks.stack import Stack, likeness
from roco.training.steps import Trainee, is_out_of_memory, own_stream


@dataclass(eq=False)
class Training:
    """A network to train, and how its training went.

    Attributes:
        network: on the device of the images; takes float32 images in [0, 1].
        seed: of the order of the images and of their augmentation.
        on_epoch: called after each epoch with its number (from 1) and its mean loss.
        losses: the mean training loss of each epoch so far.
        failure: why the training ended early: the loss is not a finite number, or memory ran out.
        out_of_memory: whether memory ran out.
        stack: the number of networks in the stack that it was trained in; 1: it was trained alone.
    """

    network: nn.Module
    seed: int
    on_epoch: Callable[[int, float], None] | None = None
    losses: list[float] = field(default_factory=list)
    failure: str | None = None
    out_of_memory: bool = False
    stack: int = 1


def train_together(
    trainings: Sequence[Training],
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    pieces: int = 1,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 0.0,
    capture: bool = True,
) -> None:
    """Trains a network, or several as a stack, in place: SGD with momentum, cosine schedule to zero, gradient clipping.

    Loss, clipping, momentum and running statistics are each network's own, so its result is what it is alone, up to
    rounding. If the loss of a network is not a finite number, its training gets a `failure`; the others are not
    affected. On a GPU steps are replayed from a CUDA graph after the first few, and the host waits for the device once
    an epoch.

    Args:
        trainings: one training of any network, or several of networks of equal `likeness` (stacks/stack.py). Losses and
            failures are written to them. If memory runs out, all of them fail.
        images: uint8 `(n, c, h, w)`, on the device that works.
        labels: int64 `(n,)`, on the same device.
        recipe: epochs, batch size, precision and so on. In bf16 weights, normalisation statistics and the loss stay
            float32. The last batch of an epoch may be smaller; it is left out if it has a single image, which batch
            normalisation cannot take.
        pieces: the number of parts into which a batch is cut to need less memory; their gradients are added up. Batch
            normalisation then uses the statistics of a part, so the result differs a little.
        checkpoint: a file for the state after each epoch, from which an interrupted training continues with the same
            result, bit for bit. Its name has to tell apart all that decides the result. It is deleted at the end.
        checkpoint_seconds: the shortest time between two checkpoints.
        capture: whether a GPU replays steps from graphs; a CPU never does.

    Source: paper, Section IV. Differs from the paper: images are shuffled, and augmented anew in each epoch; networks
    with the same seed see the same order and augmentation, so that these do not differ between them by chance.
    """
    module = _as_one([training.network for training in trainings], images.device)
    trainee: Trainee | None = None
    for training in trainings:
        training.stack = len(trainings)
    try:
        with own_stream(images.device):
            seeds = {training.seed for training in trainings}
            supplies = {seed: Supply(images, labels, recipe, seed=seed, sharing=len(seeds)) for seed in seeds}
            trainee = Trainee(
                module, recipe, [supplies[training.seed] for training in trainings], pieces=pieces, capture=capture
            )
            done = restore_checkpoint(checkpoint, module, trainee.momenta, trainings) if checkpoint else 0
            module.train()
            saved = time.monotonic()
            for epoch in range(done, recipe.epochs):
                _one_epoch(trainee, recipe, epoch=epoch)
                _note_losses(trainings, trainee, recipe, epoch=epoch, images=len(images))
                if all(training.failure is not None for training in trainings):
                    break
                due = time.monotonic() - saved >= checkpoint_seconds
                if checkpoint is not None and due and epoch + 1 < recipe.epochs:
                    save_checkpoint(checkpoint, module, trainee.momenta, trainings, epochs=epoch + 1)
                    saved = time.monotonic()
                _tell(trainings)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error, networks=len(trainings)):
            raise
        for training in trainings:
            training.failure, training.out_of_memory = OUT_OF_MEMORY, True
    finally:
        if trainee is not None:
            trainee.release()
    # Not after memory ran out: it might run out again, and the weights are of no use.
    if isinstance(module, Stack) and not trainings[0].out_of_memory:
        module.write_back()
    for training in trainings:
        training.network.eval()
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)


def _as_one(networks: Sequence[nn.Module], device: torch.device) -> nn.Module:
    """A stack, or the network itself. On devices that train stacks, a single network becomes a stack too if it can."""
    if len(networks) > 1 or (stacks_on(device) and likeness(networks[0]) is not None):
        return Stack(networks)  # type: ignore[arg-type]
    return networks[0]


def stacks_on(device: torch.device) -> bool:
    """Whether the device trains stacks. On a CPU one process for each network is faster (benchmarks/README.md)."""
    return device.type == "cuda"


def _one_epoch(trainee: Trainee, recipe: Recipe, *, epoch: int) -> None:
    """Trains for an epoch, without waiting for the device."""
    trainee.loss_sums.zero_()
    first_supply = trainee.supplies[0]
    for supply in trainee.supplies:
        supply.begin(epoch)
    for first in range(0, first_supply.batches, first_supply.window):
        sizes, *_ = [supply.fill(first) for supply in trainee.supplies]
        trainee.begin_window(
            [_learning_rate(recipe, epoch + (first + i) / first_supply.batches) for i in range(len(sizes))]
        )
        for size in sizes:
            if size > 1:
                trainee.step(size)


def _learning_rate(recipe: Recipe, epochs_done: float) -> float:
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epochs_done / recipe.epochs))


def _note_losses(trainings: Sequence[Training], trainee: Trainee, recipe: Recipe, *, epoch: int, images: int) -> None:
    used = images - (images % recipe.batch_size == 1)
    for training, loss_sum in zip(trainings, trainee.loss_sums.tolist(), strict=True):
        if training.failure is not None:
            continue
        mean_loss = loss_sum / max(used, 1)
        if math.isfinite(mean_loss):
            training.losses = [*training.losses, mean_loss]
        else:
            training.failure = f"the training loss of epoch {epoch + 1} is {mean_loss}"


def _tell(trainings: Sequence[Training]) -> None:
    for training in trainings:
        if training.failure is None and training.on_epoch is not None:
            training.on_epoch(len(training.losses), training.losses[-1])
