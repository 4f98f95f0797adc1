"""The one training loop, for search, retraining and targets; and predictions of a trained network.

Images live on the device as uint8; shift, flip and cutout are done for a whole batch at once. Nothing is chosen: the
weights of the last epoch count, so no split but the training one is ever looked at.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.sgd import sgd

from roco.artifacts import check_provenance, read_tensors, write_tensors
from roco.config import Recipe
from roco.errors import ArtifactError, TrainingFailed
from roco.runtime import resolve_precision, torch_generator

log = logging.getLogger("roco")

# ---------------------------------------------------------------------------------------------------------------
# Batches


def augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Random crop after zero padding, random flip, cutout: each image of a batch on its own.

    Args:
        images: uint8 `(n, c, h, w)`.
        recipe: which of them, and how large.
        generator: on the CPU, so that a seed gives the same crops on every device.

    Returns:
        uint8 `(n, c, h, w)`.
    """
    n, _, height, width = images.shape
    rows = torch.arange(height).expand(n, height)
    columns = torch.arange(width).expand(n, width)
    if recipe.flip:
        flipped = torch.rand(n, generator=generator) < 0.5
        columns = torch.where(flipped[:, None], columns.flip(1), columns)
    if pad := recipe.crop_padding:
        images = F.pad(images, (pad, pad, pad, pad))
        shifts = torch.randint(0, 2 * pad + 1, (2, n, 1), generator=generator)
        rows, columns = rows + shifts[0], columns + shifts[1]
    device = images.device
    index = torch.arange(n, device=device)[:, None, None]
    # Channels last while gathering: the three values of a pixel move together.
    gathered = images.permute(0, 2, 3, 1)[index, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]
    images = gathered.permute(0, 3, 1, 2)
    if recipe.cutout:
        images = images * _outside_squares(n, height, width, recipe.cutout, generator).to(device)
    return images


def _outside_squares(n: int, height: int, width: int, side: int, generator: torch.Generator) -> Tensor:
    """0 in a square of `side` pixels at a random centre, 1 outside: uint8 `(n, 1, h, w)` (DeVries and Taylor 2017)."""
    row = torch.randint(0, height, (n, 1), generator=generator) - side // 2
    column = torch.randint(0, width, (n, 1), generator=generator) - side // 2
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= row) & (rows < row + side)
    in_columns = (columns >= column) & (columns < column + side)
    return (~(in_rows[:, :, None] & in_columns[:, None, :])).to(torch.uint8)[:, None]


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels to float32 in [0, 1]."""
    return images.float().div_(255)


# ---------------------------------------------------------------------------------------------------------------
# Training


class MomentumSGD:
    """Stochastic gradient descent with momentum and weight decay, by torch's own fused function.

    Not torch.optim.SGD, which calls the same function: its first step imports torch's compiler, which costs a process
    of a minute several seconds.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.buffers: list[Tensor | None] = [None] * len(self.parameters)
        self.recipe = recipe

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Moves every parameter along its gradient, which each must have."""
        sgd(
            self.parameters,  # type: ignore[arg-type]
            [parameter.grad for parameter in self.parameters],  # type: ignore[misc]
            self.buffers,
            fused=True,
            lr=learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )


@dataclass
class TrainingState:
    """What a training has come to: finished epochs, and the mean loss of each."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)


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
    """Trains a network in place by SGD with momentum, a cosine schedule to zero and gradient clipping.

    Args:
        network: on the device of the images; takes float32 images in [0, 1].
        images: uint8 `(n, c, h, w)`, on the device that works.
        labels: int64 `(n,)`, on the same device.
        recipe: epochs, batch size, precision and the rest. In bf16 weights, normalisation statistics and the loss stay
            float32. The last batch of an epoch may be smaller; one of a single image, which batch normalisation cannot
            take, is left out.
        seed: of the order of the images and of their augmentation.
        pieces: into how many parts a batch is cut, their gradients added up, to need less memory. Batch normalisation
            then sees the parts, so the result differs a little.
        checkpoint: a file, named after all that decides the training, that holds the state after each epoch, and from
            which an interrupted training goes on; the result is the same, bit for bit. It is deleted at the end.
        on_epoch: called after each epoch with its number (from 1) and its mean loss.

    Returns:
        The mean training loss of each epoch.

    Raises:
        TrainingFailed: the loss of an epoch is not a finite number.

    Source: paper, Section IV. Differs from the paper: images are shuffled, each network has a seed of its own.
    """
    optimizer = MomentumSGD(network, recipe)
    state = TrainingState()
    if checkpoint is not None and checkpoint.exists():
        _restore(checkpoint, network, optimizer=optimizer, state=state)
    batches = math.ceil(len(images) / recipe.batch_size)
    used = len(images) - (len(images) % recipe.batch_size == 1)
    kind: Literal["cuda", "cpu"] = "cuda" if images.is_cuda else "cpu"
    in_bf16 = resolve_precision(recipe.precision, kind) == "bf16"
    network.train()
    for epoch in range(state.epoch, recipe.epochs):
        # A generator for each epoch, not one for all: a resumed training needs no generator state.
        generator = torch_generator("train", seed, epoch)
        total = torch.zeros((), device=images.device)
        for number, chosen in enumerate(torch.randperm(len(images), generator=generator).split(recipe.batch_size)):
            if len(chosen) < 2:
                continue
            chosen = chosen.to(images.device)
            progress = (epoch + number / batches) / recipe.epochs
            learning_rate = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
            optimizer.zero_grad()
            for part in chosen.chunk(pieces) if len(chosen) >= 2 * pieces else [chosen]:
                with torch.autocast(kind, torch.bfloat16, enabled=in_bf16):
                    logits = network(to_unit(augment(images[part], recipe, generator))).float()
                loss = F.cross_entropy(logits, labels[part], reduction="sum")
                (loss / len(chosen)).backward()
                total += loss.detach()
            if recipe.gradient_clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
            optimizer.step(learning_rate)
        mean_loss = float(total) / max(used, 1)
        if not math.isfinite(mean_loss):
            raise TrainingFailed(f"the training loss of epoch {epoch + 1} is {mean_loss}")
        state.epoch, state.losses = epoch + 1, [*state.losses, mean_loss]
        if checkpoint is not None and state.epoch < recipe.epochs:
            _save(checkpoint, network, optimizer=optimizer, state=state)
        if on_epoch is not None:
            on_epoch(state.epoch, mean_loss)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    network.eval()
    return state.losses


def train_within_memory(
    fresh_network: Callable[[], nn.Module],
    images: Tensor,
    *,
    labels: Tensor,
    recipe: Recipe,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> tuple[nn.Module, list[float]]:
    """Trains a fresh network as `train`; when memory runs out, once more from the start with each batch in two halves.

    Raises:
        TrainingFailed: memory ran out again, or the loss is not a finite number.
    """
    for pieces in (1, 2):
        try:
            network = fresh_network()
            losses = train(
                network,
                images,
                labels=labels,
                recipe=recipe,
                seed=seed,
                pieces=pieces,
                checkpoint=checkpoint and checkpoint.with_stem(f"{checkpoint.stem}-{pieces}"),
                on_epoch=on_epoch,
            )
            return network, losses
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            log.warning("out of memory with batches of %d", recipe.batch_size // pieces)
            if images.is_cuda:
                torch.cuda.empty_cache()
    raise TrainingFailed(f"out of memory, also with batches of {recipe.batch_size // 2}")


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU's allocator raises a plain RuntimeError; only its text tells.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _save(path: Path, network: nn.Module, *, optimizer: MomentumSGD, state: TrainingState) -> None:
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    # Without momentum there is no buffer.
    tensors |= {f"momentum.{i}": buffer for i, buffer in enumerate(optimizer.buffers) if buffer is not None}
    write_tensors(path, "checkpoint", tensors, {"name": path.stem, "epoch": state.epoch, "losses": state.losses})


def _restore(path: Path, network: nn.Module, *, optimizer: MomentumSGD, state: TrainingState) -> None:
    """Goes on from a checkpoint; one that is damaged or of another training counts for nothing."""
    try:
        tensors, attributes = read_tensors(path, "checkpoint")
        check_provenance(path, attributes, {"name": path.stem})
        weights = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        _load_weights(path, network, weights)
    except ArtifactError as error:
        log.warning("%s (training begins anew)", error)
        return
    for index, parameter in enumerate(optimizer.parameters):
        if (buffer := tensors.get(f"momentum.{index}")) is not None:
            optimizer.buffers[index] = torch.empty_like(parameter).copy_(buffer)
    state.epoch, state.losses = attributes["epoch"], attributes["losses"]
    log.info("goes on after epoch %d", state.epoch)


def _load_weights(path: Path, network: nn.Module, weights: dict[str, Tensor]) -> None:
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected:
        raise ArtifactError(f"{path}: a checkpoint of another network")
    network.load_state_dict(weights)


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
