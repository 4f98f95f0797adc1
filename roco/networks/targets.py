"""The networks that adversarial images are made from: LeNet, VGG-16, ResNet, DenseNet and All-CNN for small images.

Each is a class with its settings, its title and its layers. torch is imported where a network is built, because a
configuration is checked without it. Training is in roco.training.
"""

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from roco.settings import Count, Positive, Section

if TYPE_CHECKING:
    from torch import nn


class Architecture(Section):
    """The settings of a target network, and how it is built from them. `title` is its name in the report."""

    title: ClassVar[str]

    @abstractmethod
    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """The network behind the normalisation: normalised images `(n, 3, h, w)` to logits."""

    def build(self, *, classes: int, image_size: int, mean: Sequence[float], std: Sequence[float]) -> "nn.Module":
        """The network with fresh weights from torch's global generator.

        Args:
            image_size: the height and width of the images in pixels, at least 16.
            mean: of each of the three channels in [0, 1].
            std: of each of the three channels.
        """
        from torch import nn

        from roco.networks.decoder import Normalise

        layers = self.layers(classes=classes, image_size=image_size)
        return nn.Sequential(OrderedDict(normalise=Normalise(mean, std), layers=layers))


class LeNetConfig(Architecture):
    """LeNet-5 for colour images; `width` scales its channels."""

    title = "LeNet"
    width: Positive = 1.0

    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """LeNet-5. Source: LeCun et al. 1998, Section II.B.

        Differs from the paper: colour images, ReLU, max-pooling, all maps connected and a linear output, as is usual
        now.
        """
        from torch import nn

        from roco.networks.blocks import scaled

        first, second, third, fourth = (scaled(channels, self.width) for channels in (6, 16, 120, 84))
        side = ((image_size - 4) // 2 - 4) // 2
        return nn.Sequential(
            *(nn.Conv2d(3, first, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, second, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            nn.Flatten(),
            *(nn.Linear(second * side * side, third), nn.ReLU(inplace=True)),
            *(nn.Linear(third, fourth), nn.ReLU(inplace=True)),
            nn.Linear(fourth, classes),
        )


class VGG16Config(Architecture):
    """VGG-16 with batch normalisation; `width` scales its channels."""

    title = "VGG-16"
    width: Positive = 1.0

    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """VGG-16 with batch normalisation. Source: Simonyan and Zisserman 2015, Table 1, column D.

        Differs from the paper: batch normalisation (so convolutions have no bias), and one linear layer after a global
        average instead of three, as is usual for images of 32 x 32; a pool that would leave no pixel is skipped.
        """
        from torch import nn

        from roco.networks.blocks import GlobalAverage, activation, convolution, scaled
        from roco.networks.compiled.layers import FusedSequential

        layers: list[nn.Module] = []
        inputs, side = 3, image_size
        for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            outputs = scaled(channels, self.width)
            for _ in range(convolutions):
                layers += [convolution(inputs, outputs), *activation(outputs)]
                inputs = outputs
            if side >= 2:
                layers.append(nn.MaxPool2d(2))
                side //= 2
        return FusedSequential(*layers, GlobalAverage(), nn.Linear(inputs, classes))


class ResNetConfig(Architecture):
    """Pre-activation ResNet of depth 6 n + 2; `width` scales its channels."""

    title = "ResNet"
    width: Positive = 1.0
    depth: Annotated[int, Field(ge=8)] = 32

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 2) % 6:
            raise ValueError(f"depth: expected 6 n + 2 (8, 14, 20, 26, 32, ...), got {self.depth}")
        return self

    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """Pre-activation ResNet of depth 6 n + 2. Source: He et al. 2016 (Identity mappings in deep residual networks).

        Differs from the paper: shortcuts that change the shape are 1x1 convolutions, as in the authors' own code.
        """
        from torch import nn

        from roco.networks.blocks import GlobalAverage, ResidualUnit, activation, convolution, scaled
        from roco.networks.compiled.layers import FusedSequential

        units = (self.depth - 2) // 6
        widths = [scaled(channels, self.width) for channels in (16, 32, 64)]
        layers: list[nn.Module] = [convolution(3, widths[0])]
        inputs = widths[0]
        for stage, outputs in enumerate(widths):
            for unit in range(units):
                layers.append(ResidualUnit(inputs, outputs, stride=2 if stage and not unit else 1))
                inputs = outputs
        return FusedSequential(*layers, *activation(inputs), GlobalAverage(), nn.Linear(inputs, classes))


class DenseNetConfig(Architecture):
    """DenseNet-BC of depth 6 n + 4 with three dense blocks; `growth` channels are added by each layer."""

    title = "DenseNet"
    growth: Count = 12
    depth: Annotated[int, Field(ge=10)] = 100

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 4) % 6:
            raise ValueError(f"depth: expected 6 n + 4 (10, 16, 22, ..., 100), got {self.depth}")
        return self

    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """DenseNet-BC of depth 6 n + 4 and compression 0.5. Source: Huang et al. 2017, Sections 3 and 4.2."""
        from torch import nn

        from roco.networks.blocks import DenseLayer, GlobalAverage, activation, convolution
        from roco.networks.compiled.layers import FusedSequential

        growth, layers_per_block = self.growth, (self.depth - 4) // 6
        channels = 2 * growth
        layers: list[nn.Module] = [convolution(3, channels)]
        for block in range(3):
            if block:
                reduced = channels // 2
                layers += [*activation(channels), convolution(channels, reduced, kernel=1), nn.AvgPool2d(2)]
                channels = reduced
            for _ in range(layers_per_block):
                layers.append(DenseLayer(channels, growth))
                channels += growth
        return FusedSequential(*layers, *activation(channels), GlobalAverage(), nn.Linear(channels, classes))


class AllConvConfig(Architecture):
    """All-CNN-C: convolutions only, without pooling; `width` scales its channels."""

    title = "All-CNN"
    width: Positive = 1.0

    def layers(self, *, classes: int, image_size: int) -> "nn.Module":
        """All-CNN-C. Source: Springenberg et al. 2015, Table 1 and Section 3.1: strides instead of pooling.

        Differs from the paper: batch normalisation instead of dropout, and all convolutions padded, as is usual now.
        """
        from torch import nn

        from roco.networks.blocks import GlobalAverage, activation, convolution, scaled
        from roco.networks.compiled.layers import FusedSequential

        layers: list[nn.Module] = []
        inputs = 3
        for channels, kernel, stride in (
            *((96, 3, 1), (96, 3, 1), (96, 3, 2)),
            *((192, 3, 1), (192, 3, 1), (192, 3, 2)),
            *((192, 3, 1), (192, 1, 1)),
        ):
            outputs = scaled(channels, self.width)
            layers += [convolution(inputs, outputs, kernel=kernel, stride=stride), *activation(outputs)]
            inputs = outputs
        return FusedSequential(*layers, nn.Conv2d(inputs, classes, 1), GlobalAverage())


ARCHITECTURES: Mapping[str, type[Architecture]] = {
    "densenet": DenseNetConfig,
    "lenet": LeNetConfig,
    "resnet": ResNetConfig,
    "vgg16": VGG16Config,
    "allconv": AllConvConfig,
}
