"""Trainings that are long enough to be interrupted: targets and retrained networks, with checkpoints and a store."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roco.errors import ArtifactError, TrainingFailed
from roco.files import is_there
from roco.gpus import resolve_precision
from roco.networks.files import build, load_network, save_network
from roco.runtime import Device, seed_from, start_torch
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.storage.artifacts import check_provenance, digest
from roco.storage.store import Store

if TYPE_CHECKING:
    import torch
    from torch import nn

    from roco.data.dataset import Dataset, Split
    from roco.training.train_all import Start

log = logging.getLogger("roco")

# Raised by hand when a training comes to give other weights: it invalidates what is in the store.
TRAINING_VERSION = 7


@dataclass(frozen=True)
class Request:
    """A network to train.

    Attributes:
        description: by `describe_genome` or `describe_target`.
        weights_seed: of its initial weights.
        order_seed: of the order of the images and of their augmentation.
    """

    description: Mapping[str, Any]
    weights_seed: int
    order_seed: int


@dataclass(frozen=True)
class Fit:
    """A trained network (on its device, in evaluation mode) and how its training went.

    Attributes:
        network: takes float32 images in [0, 1], returns logits; None, if the training failed.
        losses: mean training loss of each epoch.
        seconds: its share of the time that its training took; little where the network came from the store.
        precision: that it was trained in, fp32 or bf16.
        failure: why the training ended early; None, if it did not.
        stack: how many networks were trained as one with it, itself included; 1 where it came from the store.
    """

    network: "nn.Module | None"
    losses: list[float]
    seconds: float
    precision: str
    failure: str | None = None
    stack: int = 1

    @property
    def trained(self) -> "nn.Module":
        """The network; raises TrainingFailed with the reason, if there is none."""
        if self.network is None:
            raise TrainingFailed(self.failure or "no network")
        return self.network


def fit(request: Request, dataset: "Dataset", **named: Any) -> Fit:
    """Trains one network; see `fit_all`."""
    [(_, fitted)] = fit_all([request], dataset, **named)
    return fitted


def fit_all(
    requests: Sequence[Request],
    dataset: "Dataset",
    *,
    recipe: Recipe,
    device: Device,
    store: Store,
    largest_stack: int = 1,
    validation_images_too: bool = False,
) -> Iterator[tuple[int, Fit]]:
    """Trains networks on the data set's training images: on a GPU those that are alike in stacks, else one by one.

    An interrupted training goes on after its last checkpoint; a finished one with the same content is not repeated.

    Args:
        requests: what to train.
        dataset: with train and validation images.
        recipe: how.
        device: auto, cpu or cuda.
        store: for checkpoints and finished networks.
        largest_stack: how many networks a GPU trains as one at most.
        validation_images_too: whether validation images are trained on as well, where nothing is chosen on them.

    Yields:
        The number of a request and what came of it, as they end.
    """
    import numpy as np
    import torch

    from roco.training.train_all import train_all

    place = start_torch(device)
    # By the device that is used: with a driver that torch cannot use, `auto` is the CPU.
    precision = resolve_precision(recipe.precision, "cuda" if place.type == "cuda" else "cpu")
    recipe = recipe.model_copy(update={"precision": precision})
    splits = [dataset.train, dataset.validation] if validation_images_too else [dataset.train]
    shared = {
        "version": TRAINING_VERSION,
        "dataset": dataset.fingerprint,
        "recipe": recipe.model_dump(),
        "device": place.type,
        "validation_images_too": validation_images_too,
    }
    keys = [_key(request, shared) for request in requests]
    missing = []
    for number, key in enumerate(keys):
        began = time.perf_counter()
        if (kept := _kept(store.path("network", key, suffix=".safetensors"), key)) is None:
            missing.append(number)
            continue
        network, losses = kept
        # The layout decides how sums are rounded: the logits are those that the training's end gave.
        network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        yield number, Fit(network, losses, time.perf_counter() - began, precision)
    if not missing:
        return
    began = time.perf_counter()
    for ended in train_all(
        [_start(requests[number], keys[number], dataset, place, recipe.epochs) for number in missing],
        torch.from_numpy(np.concatenate([split.images for split in splits])).to(place),
        labels=torch.from_numpy(np.concatenate([split.labels for split in splits])).to(place),
        recipe=recipe,
        largest_stack=largest_stack,
        checkpoints=store.root / "checkpoint",
    ):
        seconds = (time.perf_counter() - began) / len(ended)
        fits = [
            (
                missing[index],
                Fit(None if one.failure else one.network, one.losses, seconds, precision, one.failure, one.stack),
            )
            for index, one in ended
        ]
        # All of a stack before anything is made of them: an interruption must not part them.
        for number, fitted in fits:
            if fitted.network is not None:
                about = {**requests[number].description, "losses": fitted.losses, "key": keys[number]}
                save_network(store.path("network", keys[number], suffix=".safetensors"), fitted.network, about)
        yield from fits
        began = time.perf_counter()


def _key(request: Request, shared: Mapping[str, Any]) -> str:
    seeds = {"weights_seed": request.weights_seed, "order_seed": request.order_seed}
    return digest({**shared, **seeds, "description": dict(request.description)}, length=20)


def _start(request: Request, key: str, dataset: "Dataset", place: "torch.device", epochs: int) -> "Start":
    import torch

    from roco.training.train_all import Start

    def fresh_network() -> "nn.Module":
        torch.manual_seed(request.weights_seed)
        fresh = build(request.description, mean=list(dataset.channel_mean), std=list(dataset.channel_std))
        return fresh.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    description = dict(request.description)
    alike, name = None, description.get("name", "")
    if description["family"] == "genome":
        genome = Genome.parse(description.pop("genome"))
        alike, name = digest({**description, "phases": len(genome.phenotype.phases)}), genome.key
    return Start(
        key,
        fresh_network,
        request.order_seed,
        alike,
        lambda epoch, loss: log.info("%s epoch %d/%d loss %.4f", name, epoch, epochs, loss),
    )


def _kept(path: Path, key: str) -> "tuple[nn.Module, list[float]] | None":
    """The network that an earlier training left in the store and its losses; one that is damaged counts as missing."""
    if not is_there(path):
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

    from roco.training.prediction import error_of

    place = next(network.parameters()).device
    images, labels = torch.from_numpy(split.images).to(place), torch.from_numpy(split.labels).to(place)
    return error_of(network, images, labels=labels)


def target_request(description: Mapping[str, Any], seed: int) -> Request:
    """A target's training: weights and order from one seed."""
    return Request(description, seed_from("weights", seed), seed_from("order", seed))
