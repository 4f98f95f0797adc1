"""Small networks and images for the tests of training."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from roco.settings import Recipe

PLAIN = {"crop_padding": 0, "flip": False, "cutout": 0}


class Small(nn.Sequential):
    """A network with batch normalisation."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__(
            nn.Conv2d(3, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, 2),
        )


class Smooth(nn.Sequential):
    """A network without batch normalisation: the gradient of a batch is the sum of its images' gradients."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(3 * 6 * 6, 5), nn.Tanh(), nn.Linear(5, 2))


def fresh(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def recipe_of(**changes: object) -> Recipe:
    base = {"epochs": 4, "batch_size": 8, "learning_rate": 0.1, "crop_padding": 1, "cutout": 2, "precision": "fp32"}
    return Recipe.model_validate(base | changes)


def data_of(n: int = 20) -> tuple[Tensor, Tensor]:
    """Noise, red in class 0 and blue in class 1."""
    labels = torch.arange(n) % 2
    images = torch.randint(0, 120, (n, 3, 6, 6), generator=torch.Generator().manual_seed(7))
    images[torch.arange(n), 2 * labels] += 130
    return images.to(torch.uint8), labels


def state_bytes(network: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())


def batch_sizes(network: nn.Module) -> list[int]:
    """A list that fills with the number of images of each forward pass."""
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes
