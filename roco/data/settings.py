"""Settings of the data set."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from roco.data.declaration import DataSet, Sizes
from roco.data.sets import DATA_SETS
from roco.settings import Section, Seed
from roco.settings.paths import PlainPath

# mypy cannot read names off a list; pydantic checks them, and names them in messages and in the JSON schema.
if TYPE_CHECKING:
    Name = str
else:
    Name = Literal[tuple(DATA_SETS)]

# Where published data sets are kept if the configuration does not say.
DEFAULT_FOLDER = "data"


class DatasetConfig(Section):
    """The images: which data set, how many images, and how validation images are cut from the training images."""

    name: Name
    path: PlainPath | None = None
    image_size: Annotated[int, Field(ge=16, le=256)] = 32
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    train_images: Annotated[int, Field(ge=2)] | None = None
    test_images: Annotated[int, Field(ge=2)] | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _path_is_there(self) -> Self:
        if self.source.users_own:
            if self.path is None:
                raise ValueError(f"path: expected the {self.name} to read, got nothing")
            if not os.path.exists(self.path):  # noqa: PTH110 (Path.exists raises for a name that is too long)
                raise ValueError(f"path: expected an existing {self.name}, got '{self.path}', which is not there")
        return self

    @property
    def source(self) -> DataSet:
        """Where the images come from: the declaration of the data set."""
        return DATA_SETS[self.name]

    @property
    def source_path(self) -> Path:
        """The file or folder that they are read from."""
        return Path(self.path or DEFAULT_FOLDER)

    def known_sizes(self) -> Sizes | None:
        """The numbers of images that are used, as far as they are known without reading the images."""
        if (sizes := self.source.sizes_at(self.source_path)) is None:
            return None
        train, test = (self.train_images or sizes.train, self.test_images or sizes.test)
        return Sizes(min(sizes.train, train), min(sizes.test, test), sizes.classes)

    @property
    def title(self) -> str:
        """The name of the images in the report: the user's file or folder, or the data set."""
        return Path(self.path).absolute().name if self.path and self.source.users_own else self.name
