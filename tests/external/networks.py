"""Networks that tests evaluate, as a user's module names them; tests copy this file into a folder of their own."""

import torch
from torch import Tensor, nn


class Channels(nn.Module):
    """The mean of each channel, told apart by `scale`: right on the images of tests/tiny_study.py."""

    scale = 40.0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(self.scale * torch.eye(3))

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3)) @ self.weight


class Probabilities(Channels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(dim=1)


class Random(Channels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + torch.randn(len(images), 3)


class NoGradients(Channels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).detach()


class TwoClasses(Channels):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, :2]


class Pair(Channels):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(images), images


class OtherSize(Channels):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ torch.ones(7, 3)


class Normalising(Channels):
    """Right only where images come with the mean 0.5 taken off; 0 for all others."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * (images.min() < 0)


def no_network() -> str:
    return "no network"


def broken() -> nn.Module:
    raise ValueError("no weights here")
