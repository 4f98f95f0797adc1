"""Networks whose smallest perturbations are known in closed form, and images for them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roco.data.dataset import Split


class Linear(nn.Module):
    """Logits = weight x + bias of a flat image."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.T + self.bias


class Convolutional(nn.Sequential):
    """A small network that is neither linear nor smooth, with batch normalisation and dropout."""

    def __init__(self, classes: int) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(32, classes),
        )


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def make_linear() -> Callable[..., Linear]:
    """A linear classifier of 3 x 8 x 8 images; `offset` is added to every logit, `blocks` of pixels weigh the same."""

    def make(*, classes: int = 2, seed: int = 0, offset: float = 0.0, blocks: int = 1) -> Linear:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.randn((classes, 3, 8 // blocks, 8 // blocks), generator=generator)
        weight = coarse.repeat_interleave(blocks, dim=2).repeat_interleave(blocks, dim=3).flatten(1)
        # Grey images lie near the boundaries.
        return Linear(weight, -weight.sum(dim=1) * 0.5 + offset).eval()

    return make


@pytest.fixture
def convolutional() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Convolutional(4).eval()
    # Untrained logits hardly move with the image; larger weights make decisions that attacks can turn.
    with torch.no_grad():
        network[0].weight *= 4
        network[8].weight *= 8
    return network


@pytest.fixture
def make_split() -> Callable[..., Split]:
    """Random images (grey within `spread` or anything), with the labels that a network gives them."""

    def make(network: nn.Module, n: int = 40, *, seed: int = 0, spread: int = 127) -> Split:
        generator = np.random.default_rng(seed)
        images = generator.integers(128 - spread, 128 + spread + 1, (n, 3, 8, 8)).astype(np.uint8)
        with torch.no_grad():
            labels = network(torch.from_numpy(images).float() / 255).argmax(dim=1).numpy()
        return Split(images, labels)

    return make
