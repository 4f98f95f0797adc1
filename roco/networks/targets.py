"""The networks that adversarial images are made from: LeNet, VGG-16, ResNet, DenseNet and All-CNN for small images.

All take pixels in [0, 1], normalise inside and return logits. Training them is in `training`.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor, nn

from roco.networks.compiled.layers import FusedSequential
from roco.networks.decoder import Normalise
from roco.networks.settings import AllConvConfig, Architecture, DenseNetConfig, LeNetConfig, ResNetConfig, VGG16Config

log = logging.getLogger("roco")


def build_target(
    name: str,
    architecture: Architecture,
    *,
    classes: int,
    image_size: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> nn.Module:
    """A target network with fresh weights from torch's global generator.

    Args:
        name: of the target, for the log.
        architecture: which network, how wide and how deep.
        classes: the number of logits.
        image_size: the height and width of the images in pixels, at least 16.
        mean: of each of the three channels in [0, 1].
        std: of each of the three channels.
    """
    layers = _layers(architecture, classes=classes, image_size=image_size)
    network = nn.Sequential(OrderedDict(normalise=Normalise(mean, std), layers=layers))
    log.debug("target %s: %d parameters", name, sum(parameter.numel() for parameter in network.parameters()))
    return network


@singledispatch
def _layers(architecture: object, *, classes: int, image_size: int) -> nn.Module:
    raise TypeError(f"expected the configuration of a target, got {type(architecture).__name__}")


def _scaled(channels: int, width: float) -> int:
    return max(4, round(channels * width))


def _convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size but for its stride; without bias, as batch normalisation is beside it.

    Source: weights as He et al. 2015.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


class GlobalAverage(nn.Module):
    """The mean over height and width."""

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, channels, h, w)` to `(n, channels)`."""
        return images.mean(dim=(2, 3))


def _activation(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


@_layers.register
def _lenet(architecture: LeNetConfig, *, classes: int, image_size: int) -> nn.Module:
    """LeNet-5. Source: LeCun et al. 1998, Section II.B.

    Differs from the paper: colour images, ReLU, max-pooling, all maps connected and a linear output, as is usual now.
    """
    first, second, third, fourth = (_scaled(channels, architecture.width) for channels in (6, 16, 120, 84))
    side = ((image_size - 4) // 2 - 4) // 2
    return nn.Sequential(
        *(nn.Conv2d(3, first, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(second * side * side, third), nn.ReLU(inplace=True)),
        *(nn.Linear(third, fourth), nn.ReLU(inplace=True)),
        nn.Linear(fourth, classes),
    )


@_layers.register
def _vgg16(architecture: VGG16Config, *, classes: int, image_size: int) -> nn.Module:
    """VGG-16 with batch normalisation. Source: Simonyan and Zisserman 2015, Table 1, column D.

    Differs from the paper: batch normalisation (so convolutions have no bias), and one linear layer after a global
    average instead of three, as is usual for images of 32 x 32; a pool that would leave no pixel is skipped.
    """
    layers: list[nn.Module] = []
    inputs, side = 3, image_size
    for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        outputs = _scaled(channels, architecture.width)
        for _ in range(convolutions):
            layers += [_convolution(inputs, outputs), *_activation(outputs)]
            inputs = outputs
        if side >= 2:
            layers.append(nn.MaxPool2d(2))
            side //= 2
    return FusedSequential(*layers, GlobalAverage(), nn.Linear(inputs, classes))


class ResidualUnit(nn.Module):
    """Two pre-activated 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        # Not in place: the shortcut needs the input as it was.
        self.activate = FusedSequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.residual = FusedSequential(
            _convolution(inputs, outputs, stride=stride),
            *_activation(outputs),
            _convolution(outputs, outputs),
        )
        changes = stride != 1 or inputs != outputs
        self.shortcut = _convolution(inputs, outputs, kernel=1) if changes else None
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, outputs, h / stride, w / stride)`, rounded up."""
        active = self.activate(images)
        # Skipping pixels before a 1x1 convolution is the same as a stride within it. That one crashes on the CPU with
        # fewer than 8 channels in channels-last order (torch 2.15, oneDNN's AVX2 code).
        skipped = active[:, :, :: self.stride, :: self.stride]
        start = images if self.shortcut is None else self.shortcut(skipped)
        return start + self.residual(active)  # type: ignore[no-any-return]


@_layers.register
def _resnet(architecture: ResNetConfig, *, classes: int, image_size: int) -> nn.Module:
    """Pre-activation ResNet of depth 6 n + 2. Source: He et al. 2016 (Identity mappings in deep residual networks).

    Differs from the paper: shortcuts that change the shape are 1x1 convolutions, as in the authors' own code.
    """
    units = (architecture.depth - 2) // 6
    widths = [_scaled(channels, architecture.width) for channels in (16, 32, 64)]
    layers: list[nn.Module] = [_convolution(3, widths[0])]
    inputs = widths[0]
    for stage, outputs in enumerate(widths):
        for unit in range(units):
            layers.append(ResidualUnit(inputs, outputs, stride=2 if stage and not unit else 1))
            inputs = outputs
    return FusedSequential(*layers, *_activation(inputs), GlobalAverage(), nn.Linear(inputs, classes))


class DenseLayer(nn.Module):
    """A bottleneck of 4 k channels and a 3x3 convolution to k more channels, both pre-activated."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.new = FusedSequential(
            # Not in place: later layers need the input as it was.
            *(nn.BatchNorm2d(inputs), nn.ReLU(), _convolution(inputs, 4 * growth, kernel=1)),
            *(*_activation(4 * growth), _convolution(4 * growth, growth)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, inputs + growth, h, w)`: the input, then what is new."""
        return torch.cat([images, self.new(images)], dim=1)


@_layers.register
def _densenet(architecture: DenseNetConfig, *, classes: int, image_size: int) -> nn.Module:
    """DenseNet-BC of depth 6 n + 4 and compression 0.5. Source: Huang et al. 2017, Sections 3 and 4.2."""
    growth, layers_per_block = architecture.growth, (architecture.depth - 4) // 6
    channels = 2 * growth
    layers: list[nn.Module] = [_convolution(3, channels)]
    for block in range(3):
        if block:
            reduced = channels // 2
            layers += [*_activation(channels), _convolution(channels, reduced, kernel=1), nn.AvgPool2d(2)]
            channels = reduced
        for _ in range(layers_per_block):
            layers.append(DenseLayer(channels, growth))
            channels += growth
    return FusedSequential(*layers, *_activation(channels), GlobalAverage(), nn.Linear(channels, classes))


@_layers.register
def _allconv(architecture: AllConvConfig, *, classes: int, image_size: int) -> nn.Module:
    """All-CNN-C. Source: Springenberg et al. 2015, Table 1 and Section 3.1: strided convolutions in place of pooling.

    Differs from the paper: batch normalisation in place of dropout, and all convolutions padded, as is usual now.
    """
    layers: list[nn.Module] = []
    inputs = 3
    for channels, kernel, stride in (
        *((96, 3, 1), (96, 3, 1), (96, 3, 2)),
        *((192, 3, 1), (192, 3, 1), (192, 3, 2)),
        *((192, 3, 1), (192, 1, 1)),
    ):
        outputs = _scaled(channels, architecture.width)
        layers += [_convolution(inputs, outputs, kernel=kernel, stride=stride), *_activation(outputs)]
        inputs = outputs
    return FusedSequential(*layers, nn.Conv2d(inputs, classes, 1), GlobalAverage())
