"""The layers that target networks are made of."""

import torch
from torch import Tensor, nn

from roco.networks.compiled.layers import FusedSequential


def scaled(channels: int, width: float) -> int:
    """Channels times a width, at least 4."""
    return max(4, round(channels * width))


def convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A padded convolution with weights as He et al. 2015; without bias, as batch normalisation is next to it."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution


class GlobalAverage(nn.Module):
    """The mean over height and width."""

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, channels, h, w)` to `(n, channels)`."""
        return images.mean(dim=(2, 3))


def activation(channels: int) -> list[nn.Module]:
    """Batch normalisation and ReLU."""
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class ResidualUnit(nn.Module):
    """Two pre-activated 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        # Not in place: the shortcut needs the input as it was.
        self.activate = FusedSequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.residual = FusedSequential(
            convolution(inputs, outputs, stride=stride),
            *activation(outputs),
            convolution(outputs, outputs),
        )
        changes = stride != 1 or inputs != outputs
        self.shortcut = convolution(inputs, outputs, kernel=1) if changes else None
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, outputs, h / stride, w / stride)`, rounded up."""
        active = self.activate(images)
        # Equal to a stride within the 1x1 convolution, which crashes on a CPU with fewer than 8 channels in the memory
        # order "channels last" (torch 2.15, oneDNN's AVX2 code).
        skipped = active[:, :, :: self.stride, :: self.stride]
        start = images if self.shortcut is None else self.shortcut(skipped)
        return start + self.residual(active)  # type: ignore[no-any-return]


class DenseLayer(nn.Module):
    """A bottleneck of 4 k channels and a 3x3 convolution to k more channels, both pre-activated."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.new = FusedSequential(
            # Not in place: later layers need the input as it was.
            *(nn.BatchNorm2d(inputs), nn.ReLU(), convolution(inputs, 4 * growth, kernel=1)),
            *(*activation(4 * growth), convolution(4 * growth, growth)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, inputs, h, w)` to `(n, inputs + growth, h, w)`: the input, then the new channels."""
        return torch.cat([images, self.new(images)], dim=1)
