"""The one training loop, for search, retraining and targets; and predictions of a trained network.

Networks are trained side by side on the same batches; one alone is a crew of one. Nothing is chosen: the weights of the
last epoch count, so no split but the training one is ever looked at. What a step does is in steps.py, what it is fed
with in batches.py.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from roco.batches import Supply, to_unit
from roco.checkpoints import restore_checkpoint, save_checkpoint
from roco.config import Recipe
from roco.errors import TrainingFailed
from roco.files import is_there
from roco.steps import Trainee, is_out_of_memory

__all__ = ["Training", "error_of", "logits_of", "predict", "to_unit", "train", "train_together", "train_within_memory"]

log = logging.getLogger("roco")

# ---------------------------------------------------------------------------------------------------------------
# Training


@dataclass(eq=False)
class Training:
    """A network to train, and what has come of it.

    Attributes:
        network: on the device of the images; takes float32 images in [0, 1].
        checkpoint: a file, named after all that decides the training, that holds the state after each epoch, and from
            which an interrupted training goes on; the result is the same, bit for bit. It is deleted at the end.
        on_epoch: called after each epoch with its number (from 1) and its mean loss.
        losses: the mean training loss of each epoch so far.
        failure: why the training ended early: the loss is not a finite number, or memory ran out.
        out_of_memory: whether it is the latter.
    """

    network: nn.Module
    checkpoint: Path | None = None
    on_epoch: Callable[[int, float], None] | None = None
    losses: list[float] = field(default_factory=list)
    failure: str | None = None
    out_of_memory: bool = False

    def run_out_of_memory(self) -> None:
        """Notes that there was not enough memory."""
        self.failure, self.out_of_memory = "out of memory", True


def train_together(
    trainings: Sequence[Training],
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    pieces: int = 1,
    until: int | None = None,
    capture: bool = True,
) -> None:
    """Trains networks side by side, in place, by SGD with momentum, a cosine schedule to zero and gradient clipping.

    Each sees the same batches, and what becomes of one hangs on no other: on a CPU its weights are the same bytes
    whether it is trained alone or beside others; on a GPU the same up to rounding. There each has a stream of its own
    and, after a few steps, replays them from a CUDA graph; the host waits for the GPU once an epoch. One whose loss is
    no number, or for which memory runs out, is marked and left behind.

    Args:
        trainings: the networks; what comes of them is noted there.
        images: uint8 `(n, c, h, w)`, on the device that works.
        labels: int64 `(n,)`, on the same device.
        recipe: epochs, batch size, precision and the rest. In bf16 weights, normalisation statistics and the loss stay
            float32. The last batch of an epoch may be smaller; one of a single image, which batch normalisation cannot
            take, is left out.
        seed: of the order of the images and of their augmentation.
        pieces: into how many parts a batch is cut, their gradients added up, to need less memory. Batch normalisation
            then sees the parts, so the result differs a little.
        until: the epoch after which to stop, with the checkpoint kept for going on; the recipe's last, if not given.
        capture: whether a GPU replays steps from graphs; a CPU never does.

    Source: paper, Section IV. Differs from the paper: images are shuffled, and augmented anew in each epoch; networks
    with the same seed see the same order and augmentation, so that chance there does not tell between them.
    """
    last = recipe.epochs if until is None else min(until, recipe.epochs)
    crew: dict[Training, Trainee] = {}
    try:
        supply = Supply(images, labels, recipe, seed=seed)
        for one in trainings:
            crew[one] = Trainee(one.network, recipe, supply, pieces=pieces, capture=capture)
            if one.checkpoint is not None and is_there(one.checkpoint):
                one.losses = restore_checkpoint(one.checkpoint, one.network, momenta=crew[one].momenta, last=last)
            one.network.train()
        for epoch in range(min((len(one.losses) for one in trainings), default=last), last):
            # Those that were restored from a later epoch join when the others have got there.
            present = {one: crew[one] for one in trainings if one.failure is None and len(one.losses) == epoch}
            _one_epoch(present, supply, recipe, epoch=epoch)
            for one in present:
                _after_epoch(one, crew[one], recipe, images=len(images))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        # Not in a network's step, so it is nobody's fault.
        for one in trainings:
            if one.failure is None and len(one.losses) < last:
                one.run_out_of_memory()
    finally:
        if images.is_cuda:
            torch.cuda.synchronize()
        for trainee in crew.values():
            trainee.release()
    for one in trainings:
        one.network.eval()
        if one.checkpoint is not None and one.failure is None and last == recipe.epochs:
            one.checkpoint.unlink(missing_ok=True)


def _one_epoch(crew: dict[Training, Trainee], supply: Supply, recipe: Recipe, *, epoch: int) -> None:
    """Trains those that are present for an epoch; nothing is asked of the device before its end."""
    supply.begin(epoch)
    for trainee in crew.values():
        trainee.begin_epoch()
    for first in range(0, supply.batches, supply.window):
        # What the supply writes next comes after all that its readers were told to do.
        for trainee in crew.values():
            trainee.let_others_wait()
        sizes = supply.fill(first)
        rates = [_learning_rate(recipe, epoch + (first + i) / supply.batches) for i in range(len(sizes))]
        for trainee in crew.values():
            trainee.begin_window(rates)
        for size in sizes:
            if size < 2:
                continue
            for training, trainee in crew.items():
                if training.failure is None:
                    _step(training, trainee, size)
    if any(trainee.stream is not None for trainee in crew.values()):
        torch.cuda.synchronize()


def _learning_rate(recipe: Recipe, epochs_done: float) -> float:
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epochs_done / recipe.epochs))


def _step(training: Training, trainee: Trainee, size: int) -> None:
    try:
        trainee.step(size)
        return
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        training.run_out_of_memory()
    # Here the error is gone, and with it its hold on what the step had made.
    if trainee.stream is not None:
        torch.cuda.synchronize()
    trainee.release()
    if trainee.stream is not None:
        torch.cuda.empty_cache()


def _after_epoch(training: Training, trainee: Trainee, recipe: Recipe, *, images: int) -> None:
    if training.failure is not None:
        return
    used = images - (images % recipe.batch_size == 1)
    mean_loss = float(trainee.loss_sum) / max(used, 1)
    epoch = len(training.losses) + 1
    if not math.isfinite(mean_loss):
        training.failure = f"the training loss of epoch {epoch} is {mean_loss}"
        trainee.release()
        return
    training.losses = [*training.losses, mean_loss]
    if training.checkpoint is not None and epoch < recipe.epochs:
        save_checkpoint(training.checkpoint, training.network, momenta=trainee.momenta, losses=training.losses)
    if training.on_epoch is not None:
        training.on_epoch(epoch, mean_loss)


def train(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    pieces: int = 1,
    checkpoint: Path | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Trains one network in place; see `train_together` and `Training`.

    Returns:
        The mean training loss of each epoch.

    Raises:
        TrainingFailed: the loss of an epoch is not a finite number, or memory ran out.
    """
    one = Training(network, checkpoint, on_epoch)
    train_together([one], images, labels=labels, recipe=recipe, seed=seed, pieces=pieces)
    if one.failure is not None:
        raise TrainingFailed(one.failure)
    return one.losses


@dataclass(frozen=True)
class Start:
    """How a network comes to be that is to be trained.

    Attributes:
        fresh_network: makes it, with the same weights each time.
        checkpoint: see `Training`.
        on_epoch: see `Training`.
    """

    fresh_network: Callable[[], nn.Module]
    checkpoint: Path | None = None
    on_epoch: Callable[[int, float], None] | None = None

    def begin(self, pieces: int) -> Training:
        """A training with batches in so many pieces, whose checkpoint is its own."""
        path = self.checkpoint and self.checkpoint.with_stem(f"{self.checkpoint.stem}-{pieces}")
        return Training(self.fresh_network(), path, self.on_epoch)


def train_within_memory(
    starts: Sequence[Start],
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    until: int | None = None,
) -> list[Training]:
    """Trains fresh networks as `train_together`; one for which memory runs out is trained again from the start.

    First alone, if it was not, as its neighbours may have had the memory: its result must not hang on them. Then alone
    with each batch in two halves. If memory still does not do, its `failure` says so.

    Returns:
        The trainings, in the order of `starts`.
    """

    def trained(chosen: Sequence[Start], pieces: int) -> list[Training]:
        begun = [start.begin(pieces) for start in chosen]
        train_together(begun, images, labels=labels, recipe=recipe, seed=seed, pieces=pieces, until=until)
        return begun

    trainings = trained(starts, 1)
    for place, start in enumerate(starts):
        for pieces in (1, 2) if len(starts) > 1 else (2,):
            if not trainings[place].out_of_memory:
                break
            log.warning("out of memory; trained again alone with batches of %d", recipe.batch_size // pieces)
            # First given back, then made anew.
            trainings[place].network.to("meta")
            if images.is_cuda:
                torch.cuda.empty_cache()
            trainings[place] = trained([start], pieces)[0]
        if trainings[place].out_of_memory:
            trainings[place].failure = f"out of memory, also with batches of {recipe.batch_size // 2}"
    return trainings


# ---------------------------------------------------------------------------------------------------------------
# Prediction


@torch.no_grad()
def logits_of(network: nn.Module, images: Tensor, *, batch_size: int = 256) -> Tensor:
    """Logits float32 `(n, classes)` of uint8 images `(n, c, h, w)`, in evaluation mode, on the images' device."""
    network.eval()
    batches = [network(to_unit(batch)) for batch in images.split(batch_size)]
    return torch.cat(batches)


def predict(network: nn.Module, images: Tensor, *, batch_size: int = 256) -> Tensor:
    """Predicted classes int64 `(n,)` of uint8 images `(n, c, h, w)`."""
    if not len(images):
        return torch.zeros(0, dtype=torch.int64, device=images.device)
    return logits_of(network, images, batch_size=batch_size).argmax(dim=1)


def error_of(network: nn.Module, images: Tensor, *, labels: Tensor, batch_size: int = 256) -> float:
    """The share of uint8 images that the network gets wrong."""
    predictions = predict(network, images, batch_size=batch_size)
    return float((predictions != labels).double().mean())
