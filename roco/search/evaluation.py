"""Trains networks of genomes in this process and measures them; pool.py runs many processes."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from roco.errors import OUT_OF_MEMORY
from roco.gpus import resolve_precision
from roco.networks.spec import DecoderSettings, GenomeSpec
from roco.runtime import Device, seed_from, start_torch, versions
from roco.search import objectives
from roco.search.records import Evaluation
from roco.settings import Recipe
from roco.space.genome import Genome
from roco.storage.artifacts import digest, read_attributes
from roco.storage.records import Frozen

if TYPE_CHECKING:
    import torch

    from roco.training.loop import Training
    from roco.training.train_all import Start

log = logging.getLogger("roco")

# Raised by hand when evaluations give other numbers than before, so that stored evaluations no longer count.
EVALUATION_VERSION = 8


class EvaluationSettings(Frozen):
    """Everything except the genome that decides the numbers of an evaluation.

    Attributes:
        dataset: path of dataset.h5.
        adversarial_set: path of the validation adversarial set.
        recipe: how networks are trained.
        decoder: how genomes are decoded.
        seed: of order and augmentation; with the genome's key, also of initial weights.
        device: auto, cpu or cuda.
        measurements: objectives that are measured on the trained network (`roco.search.objectives`).
    """

    # Store keys without measurements are the same as before there were measurements.
    optional = frozenset({"measurements"})

    dataset: str
    adversarial_set: str
    recipe: Recipe
    decoder: DecoderSettings
    seed: int
    device: Device
    measurements: tuple[str, ...] = ()

    def store_key(self, genome: Genome) -> str:
        """The content key of a genome's evaluation: equal keys mean equal numbers on one kind of device."""
        return f"{genome.key}-{digest({**self._decided_by(), 'key': genome.key}, length=20)}"

    def origin(self) -> dict[str, str]:
        """What all evaluations with these settings share: `dataset_fingerprint` and `settings_hash`."""
        decided_by = self._decided_by()
        return {"dataset_fingerprint": decided_by["dataset"], "settings_hash": digest(decided_by, length=20)}

    def spec(self, genome: Genome) -> GenomeSpec:
        """The network of a genome, for the images of the data set."""
        image_size, classes = dataset_shape(self.dataset)
        return self.decoder.spec(genome, classes=classes, image_size=image_size)

    @property
    def precision(self) -> Literal["fp32", "bf16"]:
        """The precision in which this machine trains."""
        return resolve_precision(self.recipe.precision, self.device)

    def _decided_by(self) -> dict[str, Any]:
        return {
            **self.model_dump(exclude={"decoder"}),
            **self.decoder.model_dump(),
            "version": EVALUATION_VERSION,
            "recipe": self.recipe.model_dump() | {"precision": self.precision},
            "dataset": read_attributes(self.dataset, "dataset")["fingerprint"],
            "adversarial_set": read_attributes(self.adversarial_set, "adversarial_set")["sha256"],
        }


class Evaluator:
    """Evaluates genomes on data that is read once.

    Raises:
        ArtifactError: the data set or the adversarial set is missing or damaged, or they do not belong together.
        ConfigError: a GPU was asked for and there is none.
    """

    def __init__(self, settings: EvaluationSettings) -> None:
        import torch

        from roco.attacks.sets import AdversarialSet
        from roco.data.dataset import Dataset

        self.settings = settings
        self.recipe = settings.recipe.model_copy(update={"precision": settings.precision})
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

    def evaluate(self, genome: Genome) -> Evaluation:
        """The evaluation of one genome."""
        [[(_, evaluation)]] = self.evaluate_all([genome])
        return evaluation

    def evaluate_all(
        self, genomes: Sequence[Genome], *, largest_stack: int = 1, checkpoints: Path | None = None
    ) -> Iterator[list[tuple[Genome, Evaluation]]]:
        """The evaluations of genomes; a training that fails is an evaluation too.

        Order and augmentation come from the settings' seed alone, so that all genomes see the same. `seconds` of an
        evaluation is the time of its stack divided by the number of networks.

        Args:
            genomes: with different keys.
            largest_stack: the largest number of networks in a stack.
            checkpoints: a folder from which an interrupted training on a GPU goes on; None: it begins anew.

        Yields:
            Genomes with their evaluations, a whole stack at a time.

        Differs from the paper, which does not mention the order: with the same order for all, two genomes differ
        less by chance.
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
            measured = self._measured([training for _, training in ended])
            seconds = round((time.perf_counter() - began) / len(ended), 3)
            evaluations = [
                self._evaluation(genome, training, facts | {"seconds": seconds})
                for genome, (_, training), facts in zip(chosen, ended, measured, strict=True)
            ]
            yield list(zip(chosen, evaluations, strict=True))
            began = time.perf_counter()

    def _start(self, genome: Genome) -> "Start":
        from roco.training.train_all import Start

        def show(epoch: int, loss: float) -> None:
            log.info("%s epoch %d/%d loss %.4f", genome.key, epoch, self.recipe.epochs, loss)

        return Start(
            key=self.settings.store_key(genome),
            fresh_network=lambda: self._fresh_network(genome),
            seed=seed_from("order", self.settings.seed),
            alike=self._spec(genome).likeness,
            on_epoch=show,
        )

    def _spec(self, genome: Genome) -> GenomeSpec:
        decoder, dataset = self.settings.decoder, self.dataset
        return decoder.spec(genome, classes=dataset.classes, image_size=dataset.image_size)

    def _fresh_network(self, genome: Genome) -> "torch.nn.Module":
        import torch

        torch.manual_seed(seed_from("weights", self.settings.seed, genome.key))
        network = self._spec(genome).build(mean=self.dataset.channel_mean, std=self.dataset.channel_std)
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _evaluation(self, genome: Genome, training: "Training", facts: dict[str, Any]) -> Evaluation:
        """The evaluation of a failed training, updated with the facts that were measured."""
        if training.failure is not None:
            log.warning("%s failed: %s", genome.key, training.failure)
        failed = failed_evaluation(self._spec(genome), self.settings, reason=training.failure)
        return failed.model_copy(update={"device": self.device.type, "stack": training.stack, **facts})

    def _measured(self, trainings: "Sequence[Training]") -> list[dict[str, Any]]:
        """For each training the fields that differ from those of a failed training; empty if it failed."""
        from roco.training.prediction import predict_together

        sound = [training.network for training in trainings if training.failure is None]
        images = (self.validation_images, self.adversarial_images)
        predictions = iter(zip(*(predict_together(sound, each) for each in images), strict=True))
        return [
            {"status": "ok", "train_loss": tuple(training.losses), **self._errors(training.network, *next(predictions))}
            if training.failure is None
            else {}
            for training in trainings
        ]

    def _errors(
        self, network: "torch.nn.Module", predictions: "torch.Tensor", adversarial: "torch.Tensor"
    ) -> dict[str, Any]:
        from roco.attacks.sets import adversarial_error, breakdown

        on_adversarial = adversarial.cpu().numpy()
        validation = (self.validation_images, self.validation_labels)
        return {
            "error": float((predictions != self.validation_labels).double().mean()),
            "adversarial_error": adversarial_error(on_adversarial, self.adversarial),
            "adversarial_breakdown": breakdown(on_adversarial, self.adversarial),
            "measured": {
                name: float(measure(network, *validation, self.adversarial))
                for name in self.settings.measurements
                if (measure := objectives.OBJECTIVES[name].measure)
            },
        }


def failed_evaluation(spec: GenomeSpec, settings: EvaluationSettings, *, reason: str | None) -> Evaluation:
    """The evaluation of a network whose training did not end: real FLOPs and parameters, the worst errors."""
    origin = settings.origin()
    return Evaluation(
        genome=spec.genome,
        key=spec.phenotype.key,
        status="failed",
        reason=reason,
        error=1.0,
        adversarial_error=1.0,
        adversarial_breakdown=(),
        flops=spec.cost.flops,
        parameters=spec.cost.parameters,
        epochs=settings.recipe.epochs,
        seed=settings.seed,
        device=settings.device,
        precision=settings.precision,
        train_loss=(),
        seconds=0.0,
        stack=1,
        versions=versions(),
        dataset_fingerprint=origin["dataset_fingerprint"],
        settings_hash=origin["settings_hash"],
    )


def ran_out_of_memory(evaluation: Evaluation) -> bool:
    """Whether the training ran out of memory: on another day or another GPU it may succeed."""
    return evaluation.status == "failed" and str(evaluation.reason).startswith(OUT_OF_MEMORY)


def dataset_shape(path: str | Path) -> tuple[int, int]:
    """Image size and number of classes of a dataset.h5, read from its attributes alone."""
    attributes = read_attributes(path, "dataset")
    return int(attributes["image_size"]), len(attributes["class_names"])
