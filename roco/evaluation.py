"""Genomes in, their objectives out: evaluations in this process. Spreading many over processes is in workers.py."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from roco.artifacts import digest, read_attributes
from roco.config import Recipe
from roco.objectives import measure
from roco.runtime import Device, resolve_precision, seed_from, start_torch, versions
from roco.space.complexity import Channels, NodeKind, complexity
from roco.space.genome import Genome

if TYPE_CHECKING:
    import torch

    from roco.store import Store
    from roco.training import Start, Training

log = logging.getLogger("roco")

# Raised by hand when an evaluation comes to give other numbers: it invalidates what is in the store.
EVALUATION_VERSION = 6


@dataclass(frozen=True)
class EvaluationSettings:
    """Everything that decides an evaluation's numbers but the genome; plain data, to be sent to a worker.

    Attributes:
        dataset: path of dataset.h5.
        adversarial_set: path of the validation adversarial set.
        recipe: the fields of a Recipe.
        channels: width of the first active phase, or of each.
        stem_padding: 0 or 1.
        node: what a node computes: `residual`, `preactivation` or `dense`.
        measurements: objectives that are measured on the trained network (`roco.objectives`).
        seed: of order and augmentation, and together with the genome's key of initial weights.
        device: auto, cpu or cuda.
    """

    dataset: str
    adversarial_set: str
    recipe: dict[str, Any]
    channels: Channels
    stem_padding: int
    seed: int
    device: Device
    measurements: tuple[str, ...] = ()
    node: NodeKind = "residual"

    def store_key(self, genome: Genome, *, epochs: int | None = None) -> str:
        """The content key of a genome's evaluation: equal keys mean equal numbers on one kind of device.

        With `epochs`, the key of what is measured when so many of the recipe's epochs are done.
        """
        until = {} if epochs is None else {"until": epochs}
        return f"{genome.key}-{digest({**self._decided_by(), 'key': genome.key, **until}, length=20)}"

    def origin(self) -> dict[str, str]:
        """What all evaluations with these settings share: `dataset_fingerprint` and `settings_hash`."""
        decided_by = self._decided_by()
        return {"dataset_fingerprint": decided_by["dataset"], "settings_hash": digest(decided_by, length=20)}

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        """What this machine trains in."""
        return resolve_precision(Recipe(**self.recipe).precision, self.device)

    def _decided_by(self) -> dict[str, Any]:
        asked = asdict(self)
        if not self.measurements:
            del asked["measurements"]
        return {
            **asked,
            "version": EVALUATION_VERSION,
            "recipe": self.recipe | {"precision": self.precision},
            "dataset": read_attributes(self.dataset, "dataset")["fingerprint"],
            "adversarial_set": read_attributes(self.adversarial_set, "adversarial_set")["sha256"],
        }


class Evaluator:
    """Evaluates genomes on data that is read once.

    Raises:
        ArtifactError: the data set or the adversarial set is missing or damaged, or one is not made for the other.
        ConfigError: a GPU was asked for and there is none.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        import torch

        from roco.attacks.sets import AdversarialSet
        from roco.data.dataset import Dataset

        self.settings = settings
        self.recipe = Recipe(**settings.recipe | {"precision": settings.precision})
        self.device: torch.device = start_torch(settings.device)
        self.dataset: Dataset = Dataset.load(settings.dataset)
        made_for = {"split": "validation", "dataset_fingerprint": self.dataset.fingerprint}
        self.adversarial: AdversarialSet = AdversarialSet.load(settings.adversarial_set, made_for)
        train, validation = self.dataset.train, self.dataset.validation
        self.train_images = torch.from_numpy(train.images).to(self.device)
        self.train_labels = torch.from_numpy(train.labels).to(self.device)
        self.validation_images = torch.from_numpy(validation.images).to(self.device)
        self.validation_labels = torch.from_numpy(validation.labels).to(self.device)
        self.adversarial_images = torch.from_numpy(self.adversarial.images).to(self.device)

    def evaluate(self, genome: Genome) -> dict[str, Any]:
        """The evaluation record of one genome."""
        return self.evaluate_together([genome])[0]

    def evaluate_together(
        self, genomes: Sequence[Genome], *, until: int | None = None, checkpoints: "Store | None" = None
    ) -> list[dict[str, Any]]:
        """The evaluation records of genomes that are trained side by side; a training that fails is a record too.

        With `until` they are measured after so many epochs. With `checkpoints` they leave their state there, and go on
        from what is there.

        Order and augmentation come from the settings' seed alone, so that all genomes see the same. A record's seconds
        are the genome's share of what all of them took.

        Differs from the paper, which does not say so: the same order for all makes two genomes differ by less chance.
        """
        from roco.training import train_within_memory

        start = time.perf_counter()
        trainings = train_within_memory(
            [self._start(genome, checkpoints) for genome in genomes],
            self.train_images,
            labels=self.train_labels,
            recipe=self.recipe,
            seed=seed_from("order", self.settings.seed),
            until=until,
        )
        records = [self._record(genome, training) for genome, training in zip(genomes, trainings, strict=True)]
        seconds = round((time.perf_counter() - start) / len(genomes), 3)
        reached = {} if until is None else {"epochs": until}
        return [record | reached | {"seconds": seconds} for record in records]

    def _start(self, genome: Genome, checkpoints: "Store | None") -> "Start":
        from roco.training import Start

        def show(epoch: int, loss: float) -> None:
            log.info("%s epoch %d/%d loss %.4f", genome.key, epoch, self.recipe.epochs, loss)

        key = self.settings.store_key(genome)
        path = None if checkpoints is None else checkpoints.path("checkpoint", key, suffix=".safetensors")
        return Start(lambda: self._fresh_network(genome), checkpoint=path, on_epoch=show)

    def _record(self, genome: Genome, training: "Training") -> dict[str, Any]:
        record = failed_record(
            genome,
            self.settings,
            reason=training.failure,
            image_size=self.dataset.image_size,
            classes=self.dataset.classes,
        )
        record["device"] = self.device.type
        if training.failure is not None:
            log.warning("%s failed: %s", genome.key, training.failure)
            return record
        return record | {"status": "ok", **self._measured(training.network), "train_loss": training.losses}

    def _measured(self, network: "torch.nn.Module") -> dict[str, Any]:
        from roco.attacks.sets import adversarial_error, breakdown
        from roco.training import error_of, predict

        predictions = predict(network, self.adversarial_images).cpu().numpy()
        validation = (self.validation_images, self.validation_labels)
        measured = {
            name: measure(name, network, *validation, adversarial=self.adversarial)
            for name in self.settings.measurements
        }
        return {
            **({"measured": measured} if measured else {}),
            "error": error_of(network, self.validation_images, labels=self.validation_labels),
            "adversarial_error": adversarial_error(predictions, self.adversarial),
            "adversarial_breakdown": breakdown(predictions, self.adversarial),
        }

    def _fresh_network(self, genome: Genome) -> "torch.nn.Module":
        import torch

        from roco.space.network import build_network

        torch.manual_seed(seed_from("weights", self.settings.seed, genome.key))
        network = build_network(
            genome.phenotype,
            channels=self.settings.channels,
            classes=self.dataset.classes,
            stem_padding=self.settings.stem_padding,
            mean=self.dataset.channel_mean,
            std=self.dataset.channel_std,
            node=self.settings.node,
        )
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def failed_record(
    genome: Genome, settings: EvaluationSettings, *, reason: str | None, image_size: int, classes: int
) -> dict[str, Any]:
    """The record of a genome whose training did not end: real FLOPs and parameters, the worst errors."""
    cost = complexity(
        genome.phenotype,
        channels=settings.channels,
        classes=classes,
        stem_padding=settings.stem_padding,
        image_size=image_size,
        node=settings.node,
    )
    return {
        "genome": str(genome),
        "key": genome.key,
        "status": "failed",
        "reason": reason,
        "error": 1.0,
        "adversarial_error": 1.0,
        "adversarial_breakdown": [],
        "flops": cost.flops,
        "parameters": cost.parameters,
        "epochs": settings.recipe["epochs"],
        "seed": settings.seed,
        "device": settings.device,
        "precision": settings.precision,
        "train_loss": [],
        "seconds": 0.0,
        "versions": versions(),
        **settings.origin(),
    }


def dataset_shape(path: str | Path) -> tuple[int, int]:
    """Image size and number of classes of a dataset.h5, read from its attributes alone."""
    attributes = read_attributes(path, "dataset")
    return int(attributes["image_size"]), len(attributes["class_names"])
