"""Genomes in, their objectives out: evaluations in this process. pool.py spreads many over processes."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from roco.errors import OUT_OF_MEMORY
from roco.gpus import resolve_precision
from roco.runtime import Device, seed_from, start_torch, versions
from roco.search.objectives import measure
from roco.settings import Recipe
from roco.space.complexity import Channels, NodeKind, complexity
from roco.space.genome import Genome
from roco.storage.artifacts import digest, read_attributes

if TYPE_CHECKING:
    import torch

    from roco.training.loop import Training
    from roco.training.train_all import Start

log = logging.getLogger("roco")

# Raised by hand when an evaluation comes to give other numbers: it invalidates what is in the store.
EVALUATION_VERSION = 7


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
        measurements: objectives that are measured on the trained network (`roco.search.objectives`).
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

    def store_key(self, genome: Genome) -> str:
        """The content key of a genome's evaluation: equal keys mean equal numbers on one kind of device."""
        return f"{genome.key}-{digest({**self._decided_by(), 'key': genome.key}, length=20)}"

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
        [[(_, record)]] = self.evaluate_all([genome])
        return record

    def evaluate_all(
        self, genomes: Sequence[Genome], *, largest_stack: int = 1, checkpoints: Path | None = None
    ) -> Iterator[list[tuple[Genome, dict[str, Any]]]]:
        """The evaluation records of genomes; a training that fails is a record too.

        Order and augmentation come from the settings' seed alone, so that all genomes see the same. A record's seconds
        are the genome's share of what those that were trained with it took.

        Args:
            genomes: with different keys.
            largest_stack: how many networks a GPU trains as one at most.
            checkpoints: a folder from which an interrupted training on a GPU goes on; None: it begins anew.

        Yields:
            Genomes with their records, those that were trained as one at once.

        Differs from the paper, which does not say so: the same order for all makes two genomes differ by less chance.
        """
        from roco.training.train_all import train_all

        began = time.perf_counter()
        for ended in train_all(
            [self._start(genome) for genome in genomes],
            self.train_images,
            labels=self.train_labels,
            recipe=self.recipe,
            largest_stack=largest_stack,
            checkpoints=checkpoints if self.train_images.is_cuda else None,
        ):
            chosen = [genomes[number] for number, _ in ended]
            records = self._records(chosen, [training for _, training in ended])
            seconds = round((time.perf_counter() - began) / len(ended), 3)
            yield [(genome, record | {"seconds": seconds}) for genome, record in zip(chosen, records, strict=True)]
            began = time.perf_counter()

    def _start(self, genome: Genome) -> "Start":
        from roco.training.train_all import Start

        def show(epoch: int, loss: float) -> None:
            log.info("%s epoch %d/%d loss %.4f", genome.key, epoch, self.recipe.epochs, loss)

        return Start(
            key=self.settings.store_key(genome),
            fresh_network=lambda: self._fresh_network(genome),
            seed=seed_from("order", self.settings.seed),
            # What else a stack has to share is in the settings.
            alike=len(genome.phenotype.phases),
            on_epoch=show,
        )

    def _records(self, genomes: Sequence[Genome], trainings: "Sequence[Training]") -> list[dict[str, Any]]:
        from roco.training.loop import predict_together

        sound = [training.network for training in trainings if training.failure is None]
        images = (self.validation_images, self.adversarial_images)
        predictions = iter(zip(*(predict_together(sound, each) for each in images), strict=True))
        records = []
        for genome, training in zip(genomes, trainings, strict=True):
            record = self._failed(genome, training)
            if training.failure is None:
                measured = self._measured(training.network, *next(predictions))
                record |= {"status": "ok", "reason": None, **measured, "train_loss": training.losses}
            else:
                log.warning("%s failed: %s", genome.key, training.failure)
            records.append(record)
        return records

    def _failed(self, genome: Genome, training: "Training") -> dict[str, Any]:
        record = failed_record(
            genome,
            self.settings,
            reason=training.failure,
            image_size=self.dataset.image_size,
            classes=self.dataset.classes,
        )
        return record | {"device": self.device.type, "stack": training.stack}

    def _measured(
        self, network: "torch.nn.Module", predictions: "torch.Tensor", adversarial: "torch.Tensor"
    ) -> dict[str, Any]:
        from roco.attacks.sets import adversarial_error, breakdown

        on_adversarial = adversarial.cpu().numpy()
        validation = (self.validation_images, self.validation_labels)
        measured = {
            name: measure(name, network, *validation, adversarial=self.adversarial)
            for name in self.settings.measurements
        }
        return {
            **({"measured": measured} if measured else {}),
            "error": float((predictions != self.validation_labels).double().mean()),
            "adversarial_error": adversarial_error(on_adversarial, self.adversarial),
            "adversarial_breakdown": breakdown(on_adversarial, self.adversarial),
        }

    def _fresh_network(self, genome: Genome) -> "torch.nn.Module":
        import torch

        from roco.networks.decoder import build_network

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
        "stack": 1,
        "versions": versions(),
        **settings.origin(),
    }


def tells_of_the_machine(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a training that memory did not do for: another day or another GPU may give another one."""
    return record["status"] == "failed" and str(record["reason"]).startswith(OUT_OF_MEMORY)


def dataset_shape(path: str | Path) -> tuple[int, int]:
    """Image size and number of classes of a dataset.h5, read from its attributes alone."""
    attributes = read_attributes(path, "dataset")
    return int(attributes["image_size"]), len(attributes["class_names"])
