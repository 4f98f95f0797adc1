"""All white-box attacks of a study on one network, chunk by chunk, so that what is done outlives an interruption."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.norms import gradient_batch
from roco.attacks.outcome import Outcome
from roco.attacks.white_box import attack_white_box, predictions_of, summary
from roco.config import RobustnessConfig, WhiteBoxAttack
from roco.data.dataset import Split
from roco.runtime import numpy_generator, seed_from
from roco.training import to_unit

log = logging.getLogger("roco")

# Batches in a chunk: some minutes of a long attack on a CPU, enough to fill a GPU.
BATCHES = 4

Part = dict[str, Any]


class Memory:
    """What has been done of a piece of work. This one forgets; a store's does not."""

    def read(self, settings: Mapping[str, Any]) -> list[Part]:
        """The finished chunks of the work with these settings, from the first on."""
        del settings
        return []

    def write(self, settings: Mapping[str, Any], chunks: Sequence[Part]) -> None:
        """Keeps the chunks that are finished so far."""


@dataclass(frozen=True)
class Attacked:
    """A network and the images that it is attacked on, on one device: uint8 `(n, 3, h, w)`, labels int64 `(n,)`."""

    network: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    memory: Memory

    def by_chunk(self, settings: Mapping[str, Any], work: Callable[[Tensor, Tensor, int], Part]) -> list[Part]:
        """Does a piece of work on all images, a chunk after the other; what the memory has is not done again.

        Args:
            settings: what decides the outcome, beside the network and the images.
            work: the outcome on a chunk's images with their labels, from a seed of the chunk's own.
        """
        size = BATCHES * gradient_batch(self.images.device)
        pairs = list(zip(self.images.split(size), self.labels.split(size), strict=True))
        chunks = self.memory.read(settings)[: len(pairs)]
        for number in range(len(chunks), len(pairs)):
            images, labels = pairs[number]
            chunks = [*chunks, work(images, labels, seed_from(self.seed, "white-box", settings["name"], number))]
            self.memory.write(settings, chunks)
            if len(pairs) > 1:
                log.info("%s: %d of %d chunks", settings["name"], number + 1, len(pairs))
        return chunks

    def attacked_by(self, name: str, attack: WhiteBoxAttack) -> Outcome:
        """What an attack does to the images."""

        def work(images: Tensor, labels: Tensor, seed: int) -> Part:
            return attack_white_box(self.network, images, labels=labels, attack=attack, seed=seed).to_json()

        outcome = Outcome.from_json(self.by_chunk({"name": name, "attack": attack.model_dump()}, work))
        log.info("%s: %.1f %% of %d images still right", name, 100 * outcome.robust.mean(), len(self.images))
        return outcome


def evaluate_robustness(
    network: nn.Module,
    split: Split,
    *,
    config: RobustnessConfig,
    device: torch.device,
    memory: Memory | None = None,
) -> dict[str, Any]:
    """Runs the configured attacks on a network, on images that are the same for every network.

    Args:
        network: float32 images in [0, 1] to logits.
        split: the images, of which `config.images` are drawn.
        config: the attacks by name.
        device: where to work.
        memory: of what was done before.

    Returns:
        `images` (how many), `clean_accuracy`, and `attacks`: for each name what `summary` gives.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    order = numpy_generator(config.seed, "white-box images").permutation(len(split))
    chosen = np.sort(order[: config.images])
    images, labels = (torch.from_numpy(array[chosen]).to(device) for array in (split.images, split.labels))
    attacked = Attacked(network.to(device), images, labels, config.seed, memory or Memory())
    right = predictions_of(network, to_unit(images), batch_size=gradient_batch(device)) == labels
    outcomes = {name: attacked.attacked_by(name, attack) for name, attack in config.attacks.items()}
    return {
        "images": len(images),
        "clean_accuracy": float(right.double().mean()),
        "attacks": {name: summary(config.attacks[name], outcome) for name, outcome in outcomes.items()},
    }
