"""Settings of the data set."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from roco.paths import PlainPath
from roco.settings import Section, Seed


class DatasetConfig(Section):
    """The images: which, from where, how many, and how validation images are cut from the training images."""

    name: Literal["digits", "cifar10", "cifar100", "svhn", "fashion_mnist", "npz", "image_folder"]
    path: PlainPath | None = None
    image_size: Annotated[int, Field(ge=16, le=256)] = 32
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    train_images: Annotated[int, Field(ge=2)] | None = None
    test_images: Annotated[int, Field(ge=2)] | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _path_is_there(self) -> Self:
        if self.name in ("npz", "image_folder"):
            if self.path is None:
                raise ValueError(f"path: expected the {self.name} to read, got nothing")
            if not os.path.exists(self.path):  # noqa: PTH110 (Path.exists raises for a name that is too long)
                raise ValueError(f"path: expected an existing {self.name}, got '{self.path}', which is not there")
        return self

    @property
    def title(self) -> str:
        """What readers know the images by: one's own file or folder by its name, others by theirs."""
        return Path(self.path).absolute().name if self.path and self.name in ("npz", "image_folder") else self.name
