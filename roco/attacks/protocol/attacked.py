"""Attacks on the images of a network, chunk by chunk, so that an interrupted run goes on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from torch import Tensor, nn

from roco.attacks.norms import gradient_batch
from roco.attacks.outcome import Outcome, OutcomeRecord
from roco.attacks.protocol.curve import search_radii
from roco.attacks.protocol.flags import OTHER_BATCH, GradientMarks, probe_gradients
from roco.attacks.settings import CurveConfig
from roco.attacks.white_box.attack import Attack
from roco.attacks.white_box.judge import attack_white_box
from roco.runtime import seed_from
from roco.storage.records import Frozen

log = logging.getLogger("roco")

# Batches per chunk: a long attack on them takes minutes on a CPU, and they fill a GPU.
BATCHES = 4
# Attacks without a budget are repeated on so many images in batches of another size.
REPEATED = 16

Chunk = TypeVar("Chunk", bound=Frozen)


class Memory:
    """Remembers finished chunks of work. This class remembers nothing; a derived class may keep them in a store."""

    def read(self, settings: Mapping[str, object]) -> list[object]:
        """The finished chunks of the work with these settings, in order, as plain data."""
        return []

    def write(self, settings: Mapping[str, object], chunks: Sequence[Frozen]) -> None:
        """Keeps the chunks that are finished so far."""


@dataclass(frozen=True)
class Attacked:
    """A network and the images that it is attacked on.

    Attributes:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, on the network's device.
        labels: int64 `(n,)`.
        seed: of everything random.
        memory: of finished chunks.
        part: whether these are only some of the protocol's images; their chunks are kept apart.
    """

    network: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    memory: Memory
    part: bool = False

    def first(self, count: int) -> Self:
        """The same with the first images alone."""
        return replace(self, images=self.images[:count], labels=self.labels[:count], part=count < len(self.images))

    def by_chunk(
        self, settings: Mapping[str, object], work: Callable[[Tensor, Tensor, int], Chunk], *, kind: type[Chunk]
    ) -> list[Chunk]:
        """The results of some work on all images, chunk after chunk; remembered chunks are not done again.

        Args:
            settings: what decides the results, beside the network and the images.
            work: takes the images of a chunk, their labels and a seed for this chunk.
            kind: type of the result.
        """
        settings = {**settings, "images": len(self.images)} if self.part else settings
        size = BATCHES * gradient_batch(self.images.device)
        pairs = list(zip(self.images.split(size), self.labels.split(size), strict=True))
        chunks = [kind.model_validate(chunk) for chunk in self.memory.read(settings)[: len(pairs)]]
        for number in range(len(chunks), len(pairs)):
            images, labels = pairs[number]
            chunks = [*chunks, work(images, labels, seed_from(self.seed, "white-box", settings["name"], number))]
            self.memory.write(settings, chunks)
            if len(pairs) > 1:
                log.info("%s: %d of %d chunks", settings["name"], number + 1, len(pairs))
        return chunks

    def attacked_by(self, name: str, attack: Attack, *, shrink: bool = False, batch_size: int | None = None) -> Outcome:
        """What an attack does to the images; see `attack_white_box`."""

        def work(images: Tensor, labels: Tensor, seed: int) -> OutcomeRecord:
            return attack_white_box(
                *(self.network, images), labels=labels, attack=attack, seed=seed, shrink=shrink, batch_size=batch_size
            ).record()

        settings = {"name": name, "attack": attack.model_dump(), "shrink": shrink}
        outcome = Outcome.joined(self.by_chunk(settings, work, kind=OutcomeRecord))
        log.info("%s: %.1f %% of %d images still right", name, 100 * outcome.robust.mean(), len(self.images))
        return outcome

    def attacked_by_all(
        self, attacks: Mapping[str, Attack], *, prefix: str = "", shrink: bool = False
    ) -> dict[str, Outcome]:
        """What each attack does to the images, by its name; `prefix` keeps equal names of different purposes apart."""
        return {name: self.attacked_by(f"{prefix}{name}", attack, shrink=shrink) for name, attack in attacks.items()}

    def radii(self, config: CurveConfig) -> Outcome:
        """What the search for each image's radius does to the images; see `search_radii`."""

        def work(images: Tensor, labels: Tensor, seed: int) -> OutcomeRecord:
            return search_radii(self.network, images, labels=labels, config=config, seed=seed).record()

        settings = {"name": "curve", "curve": config.model_dump()}
        return Outcome.joined(self.by_chunk(settings, work, kind=OutcomeRecord))

    def repeated(self, attacks: Mapping[str, Attack], outcomes: Mapping[str, Outcome]) -> dict[str, int]:
        """For each attack without a budget: of REPEATED images, how many have another verdict in smaller batches."""
        few = replace(self, images=self.images[:REPEATED], labels=self.labels[:REPEATED])
        again = {
            name: few.attacked_by(f"batches {name}", attack, batch_size=OTHER_BATCH)
            for name, attack in attacks.items()
            # Restarts are random, and random numbers depend on the batch.
            if not attack.has_budget and getattr(attack, "restarts", 1) == 1
        }
        return {
            name: int((outcome.robust != outcomes[name].robust[:REPEATED]).sum()) for name, outcome in again.items()
        }

    def gradients(self) -> dict[str, int]:
        """How many images have no gradient (`zero_gradients`), have a logit or a gradient that is not finite
        (`broken`), or have another class in smaller batches (`unsteady`)."""

        def work(images: Tensor, labels: Tensor, seed: int) -> GradientMarks:
            return probe_gradients(self.network, images, labels=labels, batch_size=gradient_batch(images.device))

        parts = self.by_chunk({"name": "gradients"}, work, kind=GradientMarks)
        return {
            "zero_gradients": sum(part.zero.count("1") for part in parts),
            "broken": sum(part.broken.count("1") for part in parts),
            "unsteady": sum(part.unsteady.count("1") for part in parts),
        }
