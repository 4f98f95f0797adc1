"""The records of a slot's training and robustness: the contents of training.json and robustness.json.

Each is the record of an empty slot, of a training that failed, or of a training that ended.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from roco.attacks.records import CellErrors, WhiteBox
from roco.settings import Recipe
from roco.storage.artifacts import write_json
from roco.storage.records import Frozen, read_content
from roco.training.adversarial import AdversarialRecipe

TRAINING, ROBUSTNESS = "training", "robustness"


class Slot(Frozen):
    """The position of a training in a study.

    Attributes:
        search: the search whose front has the network.
        seed: of the search.
        slot: the network's position on the front.
        training_seed: of the training.
        adversarial: whether this is the adversarial training of the network, which also has a standard training.
    """

    optional = frozenset({"adversarial"})

    search: str
    seed: int
    slot: int
    training_seed: int
    adversarial: bool = False


class EmptySlot(Slot):
    """A slot past the end of its front."""

    status: Literal["empty"] = "empty"


class Retrained(Slot):
    """A retraining, whether it ended or failed.

    Attributes:
        genome: its text.
        key: its phenotype's key.
        channels: width of the first active phase, or of each active phase.
        flops: of one forward pass, at this width.
        parameters: at this width.
        search_flops: at the search's width.
        search_parameters: at the search's width.
        validation_images_too: whether validation images were trained on as well.
    """

    genome: str
    key: str
    channels: int | tuple[int, ...]
    flops: int
    parameters: int
    search_flops: int
    search_parameters: int
    epochs: int
    recipe: Recipe | AdversarialRecipe
    validation_images_too: bool
    versions: dict[str, str]
    dataset_fingerprint: str


class FailedTraining(Retrained):
    """A training that failed."""

    status: Literal["failed"] = "failed"
    reason: str


class EndedTraining(Retrained):
    """A training that ended.

    Attributes:
        stack: the number of networks in its stack.
        train_loss: the mean loss of each epoch.
        seconds: the time of its stack divided by the number of networks.
    """

    status: Literal["ok"] = "ok"
    reason: None = None
    precision: str
    stack: int
    train_loss: tuple[float, ...]
    seconds: float


class SourceCounts(Frozen):
    """How many adversarial images of each test image are right; those of one test image are not independent.

    Attributes:
        source_index: of the test image, rising.
        images: how many adversarial images were made from it.
        right: how many of these the network classifies correctly.
        noise_right: how many it classifies correctly with noise of the same budgets instead.
    """

    source_index: tuple[int, ...]
    images: tuple[int, ...]
    right: tuple[int, ...]
    noise_right: tuple[int, ...]


class Measurements(Frozen):
    """The measurements of a network on test data.

    Attributes:
        test_images: the number of test images.
        test_error: share of them that the network gets wrong.
        right_images: one character per test image, 1 if it is right.
        adversarial_error: share of the test adversarial set that it gets wrong.
        adversarial_breakdown: the same by cell.
        adversarial_sources: the same by test image.
    """

    test_images: int
    test_error: float
    right_images: str
    adversarial_error: float
    adversarial_breakdown: tuple[CellErrors, ...]
    adversarial_sources: SourceCounts
    white_box: WhiteBox


class MeasuredNetwork(Retrained, Measurements):
    """A retrained network and its measurements on test data."""

    status: Literal["ok"] = "ok"
    reason: None = None
    precision: str
    stack: int


Training = EmptySlot | FailedTraining | EndedTraining
Robustness = EmptySlot | FailedTraining | MeasuredNetwork
_TRAINING: TypeAdapter[Training] = TypeAdapter(Annotated[Training, Field(discriminator="status")])
_ROBUSTNESS: TypeAdapter[Robustness] = TypeAdapter(Annotated[Robustness, Field(discriminator="status")])


def read_training(path: str | Path, made_for: Mapping[str, object] | None = None) -> Training:
    """The record of a training; raises ArtifactError if the file is damaged or not as `made_for` says."""
    return read_content(path, TRAINING, _TRAINING.validate_python, made_for)


def read_robustness(path: str | Path) -> Robustness:
    """The record of a network's robustness; raises ArtifactError if the file is damaged."""
    return read_content(path, ROBUSTNESS, _ROBUSTNESS.validate_python)


def write_training(path: str | Path, training: Training) -> None:
    """Writes the record of a training."""
    write_json(path, TRAINING, training.model_dump())


def write_robustness(path: str | Path, robustness: Robustness) -> None:
    """Writes the record of a network's robustness."""
    write_json(path, ROBUSTNESS, robustness.model_dump())
