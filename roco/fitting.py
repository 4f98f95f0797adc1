"""Trainings that are long enough to be interrupted: targets and retrained networks, with a checkpoint each epoch."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roco.artifacts import check_provenance, digest
from roco.config import Recipe
from roco.errors import ArtifactError, TrainingFailed
from roco.networks import build, load_network, save_network
from roco.runtime import Device, resolve_precision, seed_from, start_torch
from roco.store import Store

if TYPE_CHECKING:
    from torch import nn

    from roco.data.dataset import Dataset, Split

log = logging.getLogger("roco")

# Raised by hand when a training comes to give other weights: it invalidates what is in the store.
TRAINING_VERSION = 6


@dataclass(frozen=True)
class Fit:
    """A trained network (on its device, in evaluation mode) and how its training went.

    Attributes:
        network: takes float32 images in [0, 1], returns logits.
        losses: mean training loss of each epoch.
        seconds: that this call took; little where the network came from the store.
        precision: that it was trained in, fp32 or bf16.
    """

    network: "nn.Module"
    losses: list[float]
    seconds: float
    precision: str


def fit(
    description: Mapping[str, Any],
    dataset: "Dataset",
    *,
    recipe: Recipe,
    seed: int,
    device: Device,
    store: Store,
    validation_images_too: bool = False,
) -> Fit:
    """Trains the network of a description on the data set's training images.

    An interrupted training goes on after its last whole epoch; a finished one with the same content is not repeated.

    Args:
        description: by `describe_genome` or `describe_target`.
        dataset: with train and validation images.
        recipe: how.
        seed: of weights, order and augmentation.
        device: auto, cpu or cuda.
        store: for checkpoints and finished networks.
        validation_images_too: whether validation images are trained on as well, where nothing is chosen on them.

    Raises:
        TrainingFailed: the loss is not a finite number, or memory ran out.
    """
    import numpy as np
    import torch

    from roco.training import Start, train_within_memory

    began, place = time.perf_counter(), start_torch(device)
    precision = resolve_precision(recipe.precision, device)
    recipe = recipe.model_copy(update={"precision": precision})
    splits = [dataset.train, dataset.validation] if validation_images_too else [dataset.train]
    parts = {
        "version": TRAINING_VERSION,
        "description": dict(description),
        "dataset": dataset.fingerprint,
        "recipe": recipe.model_dump(),
        "seed": seed,
        "device": place.type,
        "validation_images_too": validation_images_too,
    }
    key = digest(parts, length=20)
    finished = store.path("network", key, suffix=".safetensors")
    if (kept := _kept(finished, key)) is not None:
        network, losses = kept
        # The layout decides how sums are rounded: the logits are those that the training's end gave.
        network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return Fit(network, losses, time.perf_counter() - began, precision)

    def fresh_network() -> "nn.Module":
        torch.manual_seed(seed_from("weights", seed))
        fresh = build(description, mean=list(dataset.channel_mean), std=list(dataset.channel_std))
        return fresh.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    start = Start(
        fresh_network,
        checkpoint=store.path("checkpoint", key, suffix=".safetensors"),
        on_epoch=lambda epoch, loss: log.info("epoch %d/%d loss %.4f", epoch, recipe.epochs, loss),
    )
    [training] = train_within_memory(
        [start],
        torch.from_numpy(np.concatenate([split.images for split in splits])).to(place),
        labels=torch.from_numpy(np.concatenate([split.labels for split in splits])).to(place),
        recipe=recipe,
        seed=seed_from("order", seed),
    )
    if training.failure is not None:
        raise TrainingFailed(training.failure)
    save_network(finished, training.network, {**description, "losses": training.losses, "key": key})
    return Fit(training.network, training.losses, time.perf_counter() - began, precision)


def _kept(path: Path, key: str) -> "tuple[nn.Module, list[float]] | None":
    """The network that an earlier training left in the store and its losses; one that is damaged counts as missing."""
    if not path.exists():
        return None
    try:
        network, description = load_network(path)
        check_provenance(path, description, {"key": key})
    except ArtifactError as error:
        log.warning("%s (trained again)", error)
        return None
    log.info("trained before: %s", path)
    return network, description["losses"]


def measure(network: "nn.Module", split: "Split") -> float:
    """The share of a split's images that the network, on its device, gets wrong."""
    import torch

    from roco.training import error_of

    place = next(network.parameters()).device
    images, labels = torch.from_numpy(split.images).to(place), torch.from_numpy(split.labels).to(place)
    return error_of(network, images, labels=labels)
