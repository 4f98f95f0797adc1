"""Settings of the networks that adversarial images are made from."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from roco.networks.targets import (
    ARCHITECTURES,
    AllConvConfig,
    Architecture,
    DenseNetConfig,
    LeNetConfig,
    ResNetConfig,
    VGG16Config,
)
from roco.settings import Recipe, Section, Seed, kept_from

SplitName = Literal["validation", "test"]

RECIPE = Recipe(epochs=200, learning_rate=0.1, weight_decay=5e-4)


def _among(section: Section) -> dict[str, Architecture]:
    """The architectures among the keys of a section that are not null."""
    return {name: architecture for name in ARCHITECTURES if (architecture := getattr(section, name, None)) is not None}


class IndependentTargetsConfig(Section):
    """The networks that the test set is made from: the targets, trained again, and All-CNN, which no search uses.

    Their weights differ from those of the search's targets even if `seed` is the same.
    """

    seed: Seed = 0
    allconv: AllConvConfig | None = AllConvConfig()


class TargetsConfig(Section):
    """The networks that the adversarial images are made from; a target set to null is left out.

    With `test: null` the test set is made from the same networks as the search's set.
    """

    lenet: LeNetConfig | None = LeNetConfig()
    vgg16: VGG16Config | None = VGG16Config()
    resnet: ResNetConfig | None = ResNetConfig()
    densenet: DenseNetConfig | None = DenseNetConfig()
    training: Annotated[Recipe, kept_from(RECIPE)] = RECIPE
    seed: Seed = 0
    test: IndependentTargetsConfig | None = IndependentTargetsConfig()

    def architectures(self, split: SplitName = "validation") -> dict[str, Architecture]:
        """The targets that a split's images are made from, by name, in the order of the paper's Table I."""
        unseen = {} if split == "validation" or self.test is None else _among(self.test)
        return {**_among(self), **unseen}

    def seed_of(self, split: SplitName) -> int:
        """The seed that a split's targets are trained with."""
        return self.test.seed if split == "test" and self.test is not None else self.seed

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.architectures():
            raise ValueError("expected at least one target that is not null, got none")
        return self
