"""What is recorded of a slot's training and of its robustness: the contents of training.json and robustness.json.

Each is one of three: of an empty slot, of a training that failed, or of one that ended.
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
    """Where a training is in a study.

    Attributes:
        search: whose front the network is on.
        seed: of the search.
        slot: the network's position on the front.
        training_seed: of the training.
        adversarial: whether the network is trained adversarially, as it is trained in the standard way elsewhere.
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
    """What is known of a retraining, whether it ended or failed.

    Attributes:
        genome: its text.
        key: its phenotype's key.
        channels: width of the first active phase, or of each.
        flops: of one forward pass, at this width.
        parameters: at this width.
        search_flops: at the search's width.
        search_parameters: at the search's width.
        epochs: of the recipe.
        recipe: of the training.
        validation_images_too: whether validation images were trained on as well.
        versions: of the software.
        dataset_fingerprint: of the data set.
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
        precision: that it was trained in.
        stack: how many networks were trained as one with it, itself included.
        train_loss: the mean loss of each epoch.
        seconds: its share of what those took that were trained with it.
    """

    status: Literal["ok"] = "ok"
    reason: None = None
    precision: str
    stack: int
    train_loss: tuple[float, ...]
    seconds: float


class SourceCounts(Frozen):
    """What a network makes of the adversarial images of each test image; these are not independent of one another.

    Attributes:
        source_index: of the test image, rising.
        images: how many adversarial images were made from it.
        right: how many of these are right.
        noise_right: how many are right under noise of the same budgets instead.
    """

    source_index: tuple[int, ...]
    images: tuple[int, ...]
    right: tuple[int, ...]
    noise_right: tuple[int, ...]


class Measurements(Frozen):
    """What a network is worth on test data.

    Attributes:
        test_images: how many there are.
        test_error: share of them that the network gets wrong.
        right_images: a character a test image, 1 where it is right.
        adversarial_error: share of the test adversarial set that it gets wrong.
        adversarial_breakdown: the same by cell.
        adversarial_sources: the same by the test image that an adversarial image was made from.
        white_box: under white-box attacks.
    """

    test_images: int
    test_error: float
    right_images: str
    adversarial_error: float
    adversarial_breakdown: tuple[CellErrors, ...]
    adversarial_sources: SourceCounts
    white_box: WhiteBox


class MeasuredNetwork(Retrained, Measurements):
    """A retrained network and what it is worth on test data."""

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
