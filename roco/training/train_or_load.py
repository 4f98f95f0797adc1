"""Trained networks from the store, or by a training that can be interrupted: for targets and retrained networks."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roco.errors import ArtifactError, TrainingFailed
from roco.files import is_there
from roco.gpus import resolve_precision
from roco.networks.files import KIND, load_weights
from roco.networks.spec import GenomeSpec, TargetSpec
from roco.runtime import Device, start_torch
from roco.settings import Recipe
from roco.storage.artifacts import check_provenance, digest, write_tensors
from roco.storage.store import Store

if TYPE_CHECKING:
    import torch
    from torch import nn

    from roco.data.dataset import Dataset, Split
    from roco.training.train_all import Start

log = logging.getLogger("roco")

# Raised by hand when trainings give other weights than before, so that stored networks no longer count.
TRAINING_VERSION = 8


@dataclass(frozen=True)
class TrainingRequest:
    """A network to train.

    Attributes:
        weights_seed: of its initial weights.
        order_seed: of the order of the images and of their augmentation.
    """

    spec: GenomeSpec | TargetSpec
    weights_seed: int
    order_seed: int

    @property
    def decided_by(self) -> dict[str, object]:
        """What decides the weights, beside the data and the recipe; the image size does not, for a genome."""
        return self.spec.model_dump(exclude={"image_size"} if isinstance(self.spec, GenomeSpec) else None)


@dataclass(frozen=True)
class TrainingResult:
    """A trained network (on its device, in evaluation mode) and how its training went.

    Attributes:
        network: takes float32 images in [0, 1], returns logits; None if the training failed.
        losses: mean training loss of each epoch.
        seconds: its share of the duration of the training; the time to load it if it came from the store.
        precision: of the training, fp32 or bf16.
        failure: why the training ended early; None if it did not.
        stack: the number of networks in its stack; 1 if it was trained alone or came from the store.
    """

    network: "nn.Module | None"
    losses: list[float]
    seconds: float
    precision: str
    failure: str | None = None
    stack: int = 1

    @property
    def trained(self) -> "nn.Module":
        """The network; raises TrainingFailed with the reason if the training failed."""
        if self.network is None:
            raise TrainingFailed(self.failure or "no network")
        return self.network


def train_or_load(
    request: TrainingRequest, dataset: "Dataset", *, recipe: Recipe, device: Device, store: Store
) -> TrainingResult:
    """One trained network; see `train_or_load_all`."""
    [(_, result)] = train_or_load_all([request], dataset, recipe=recipe, device=device, store=store)
    return result


def train_or_load_all(
    requests: Sequence[TrainingRequest],
    dataset: "Dataset",
    *,
    recipe: Recipe,
    device: Device,
    store: Store,
    largest_stack: int = 1,
    validation_images_too: bool = False,
) -> Iterator[tuple[int, TrainingResult]]:
    """Trains networks on the data set's training images: on a GPU in stacks of like networks, else one by one.

    An interrupted training goes on after its last checkpoint. A finished training is not repeated.

    Args:
        store: for checkpoints and finished networks.
        largest_stack: the largest number of networks in a stack.
        validation_images_too: whether to train on validation images as well; then nothing may be chosen on them.

    Yields:
        The number of a request and its result, as trainings end.
    """
    used = start_torch(device)
    # `auto` depends on the device that is used, which is the CPU if torch cannot use the driver.
    precision = resolve_precision(recipe.precision, "cuda" if used.type == "cuda" else "cpu")
    work = _Work(dataset, recipe.model_copy(update={"precision": precision}), used, store, validation_images_too)
    missing = []
    for number, request in enumerate(requests):
        if (loaded := work.load(request)) is None:
            missing.append(number)
        else:
            yield number, loaded
    if missing:
        for index, result in work.train([requests[number] for number in missing], largest_stack):
            yield missing[index], result


@dataclass(frozen=True)
class _Work:
    """What all trainings of a call share."""

    dataset: "Dataset"
    recipe: Recipe
    device: "torch.device"
    store: Store
    validation_images_too: bool

    def key(self, request: TrainingRequest) -> str:
        """Names the training in the store."""
        decided_by = {
            "version": TRAINING_VERSION,
            "dataset": self.dataset.fingerprint,
            "recipe": self.recipe.model_dump(),
            "device": self.device.type,
            "validation_images_too": self.validation_images_too,
            "weights_seed": request.weights_seed,
            "order_seed": request.order_seed,
            "description": request.decided_by,
        }
        return digest(decided_by, length=20)

    def path(self, key: str) -> Path:
        return self.store.path(KIND, key, suffix=".safetensors")

    def load(self, request: TrainingRequest) -> TrainingResult | None:
        """The network that an earlier training left in the store; a damaged file counts as missing."""
        import torch

        key, began = self.key(request), time.perf_counter()
        path = self.path(key)
        if not is_there(path):
            return None
        try:
            network, kept = load_weights(path, request.spec)
            check_provenance(path, kept, {"key": key})
        except ArtifactError as error:
            log.warning("%s (trained again)", error)
            return None
        log.info("trained before: %s", path)
        # The memory layout decides how sums are rounded: with it the logits are those of the end of the training.
        network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return TrainingResult(network, kept["losses"], time.perf_counter() - began, str(self.recipe.precision))

    def train(self, requests: Sequence[TrainingRequest], largest_stack: int) -> Iterator[tuple[int, TrainingResult]]:
        """Trains networks and keeps them in the store."""
        from roco.training.train_all import train_all

        images, labels = self._images()
        began = time.perf_counter()
        for ended in train_all(
            [self._start(request) for request in requests],
            images,
            labels=labels,
            recipe=self.recipe,
            largest_stack=largest_stack,
            checkpoints=self.store.root / "checkpoint",
        ):
            seconds = (time.perf_counter() - began) / len(ended)
            results = []
            for number, training in ended:
                network = None if training.failure else training.network
                if network is not None:
                    self._keep(requests[number], network, training.losses)
                precision = str(self.recipe.precision)
                result = TrainingResult(network, training.losses, seconds, precision, training.failure, training.stack)
                results.append((number, result))
            # Only after the whole stack is kept: an interruption then loses no network.
            yield from results
            began = time.perf_counter()

    def _images(self) -> "tuple[torch.Tensor, torch.Tensor]":
        import numpy as np
        import torch

        splits = [self.dataset.train, *([self.dataset.validation] if self.validation_images_too else [])]
        images = np.concatenate([split.images for split in splits])
        labels = np.concatenate([split.labels for split in splits])
        return torch.from_numpy(images).to(self.device), torch.from_numpy(labels).to(self.device)

    def _start(self, request: TrainingRequest) -> "Start":
        import torch

        from roco.training.train_all import Start

        def fresh_network() -> "nn.Module":
            torch.manual_seed(request.weights_seed)
            fresh = request.spec.build(mean=list(self.dataset.channel_mean), std=list(self.dataset.channel_std))
            return fresh.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

        def show(epoch: int, loss: float) -> None:
            log.info("%s epoch %d/%d loss %.4f", request.spec.name, epoch, self.recipe.epochs, loss)

        return Start(self.key(request), fresh_network, request.order_seed, request.spec.likeness, show)

    def _keep(self, request: TrainingRequest, network: "nn.Module", losses: list[float]) -> None:
        key = self.key(request)
        facts = {**request.decided_by, "losses": losses, "key": key}
        write_tensors(self.path(key), KIND, network.state_dict(), facts)


def error_on(split: "Split", network: "nn.Module") -> float:
    """The share of a split's images that the network, on its device, gets wrong."""
    import torch

    from roco.training.prediction import error_of

    device = next(network.parameters()).device
    images, labels = torch.from_numpy(split.images).to(device), torch.from_numpy(split.labels).to(device)
    return error_of(network, images, labels=labels)
