"""The numbers of a study's images, before or after its data set is made."""

from dataclasses import dataclass
from pathlib import Path

from roco.config import StudyConfig
from roco.data.dataset import dataset_facts
from roco.files import is_there


@dataclass(frozen=True)
class Images:
    """The numbers of images in each split, the number of classes, and the height and width in pixels."""

    train: int
    validation: int
    test: int
    classes: int
    size: int


def images_of(config: StudyConfig) -> Images | None:
    """The numbers of images from dataset.h5; before it is made, from the data set's declaration, if that knows them."""
    size = config.dataset.image_size
    if is_there(made := Path(config.folder) / "dataset.h5"):
        facts, counts = dataset_facts(made)
        return Images(**counts, classes=len(facts["class_names"]), size=size)
    if (known := config.dataset.known_sizes()) is None:
        return None
    validation = round(known.train * config.dataset.validation_fraction)
    return Images(known.train - validation, validation, known.test, known.classes, size)
