"""Settings of the networks that adversarial images are made from."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from roco.settings import Count, Positive, Recipe, Section, Seed, kept_from


class LeNetConfig(Section):
    """LeNet-5 for colour images; `width` scales its channels."""

    width: Positive = 1.0


class VGG16Config(Section):
    """VGG-16 with batch normalisation; `width` scales its channels."""

    width: Positive = 1.0


class ResNetConfig(Section):
    """Pre-activation ResNet of depth 6 n + 2; `width` scales its channels."""

    width: Positive = 1.0
    depth: Annotated[int, Field(ge=8)] = 32

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 2) % 6:
            raise ValueError(f"depth: expected 6 n + 2 (8, 14, 20, 26, 32, ...), got {self.depth}")
        return self


class DenseNetConfig(Section):
    """DenseNet-BC of depth 6 n + 4 with three dense blocks; `growth` channels are added by each layer."""

    growth: Count = 12
    depth: Annotated[int, Field(ge=10)] = 100

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 4) % 6:
            raise ValueError(f"depth: expected 6 n + 4 (10, 16, 22, ..., 100), got {self.depth}")
        return self


class AllConvConfig(Section):
    """All-CNN-C: convolutions only, without pooling; `width` scales its channels."""

    width: Positive = 1.0


Architecture = LeNetConfig | VGG16Config | ResNetConfig | DenseNetConfig | AllConvConfig
SplitName = Literal["validation", "test"]
ARCHITECTURES: Mapping[str, type[Architecture]] = {
    "densenet": DenseNetConfig,
    "lenet": LeNetConfig,
    "resnet": ResNetConfig,
    "vgg16": VGG16Config,
    "allconv": AllConvConfig,
}


RECIPE = Recipe(epochs=200, learning_rate=0.1, weight_decay=5e-4)


class IndependentTargetsConfig(Section):
    """The networks that the test set is made from: the targets trained anew, and one that the search never saw.

    Their weights differ from those of the search's targets also where `seed` is the same.
    """

    seed: Seed = 0
    allconv: AllConvConfig | None = AllConvConfig()


class TargetsConfig(Section):
    """The networks that the adversarial images are made from; a target set to null is left out.

    With `test: null` those of the search make the test set as well.
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
        chosen = {"densenet": self.densenet, "lenet": self.lenet, "resnet": self.resnet, "vgg16": self.vgg16}
        unseen = {"allconv": self.test.allconv} if split == "test" and self.test is not None else {}
        return {name: architecture for name, architecture in {**chosen, **unseen}.items() if architecture is not None}

    def seed_of(self, split: SplitName) -> int:
        """The seed that a split's targets are trained with."""
        return self.test.seed if split == "test" and self.test is not None else self.seed

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.architectures():
            raise ValueError("expected at least one target that is not null, got none")
        return self
