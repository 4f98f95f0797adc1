"""Small networks and images for the tests of training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from roco.errors import TrainingFailed
from roco.settings import Recipe
from roco.training.loop import Training, train_together

PLAIN = {"crop_padding": 0, "flip": False, "cutout": 0}
SLOW = {"learning_rate": 0.02}


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


def train(
    network: nn.Module,
    images: Tensor,
    *,
    seed: int,
    on_epoch: Callable[[int, float], None] | None = None,
    **named: Any,
) -> list[float]:
    """Trains one network and gives its losses; raises TrainingFailed if the training fails."""
    training = Training(network, seed, on_epoch)
    train_together([training], images, **named)
    if training.failure is not None:
        raise TrainingFailed(training.failure)
    return training.losses


def state_bytes(network: nn.Module) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())


def batch_sizes(network: nn.Module) -> list[int]:
    """A list that fills with the number of images of each forward pass."""
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes


def assert_as_alone(training: Training, network: nn.Module, recipe: Recipe, n: int, tolerance: float) -> None:
    """The training gives the losses and the state that the network gets when it is trained alone."""
    images, labels = data_of(n)
    losses = train(network, images, labels=labels, recipe=recipe, seed=training.seed)
    assert training.failure is None
    assert not training.network.training
    # Losses are noted in single precision.
    assert training.losses == pytest.approx(losses, rel=max(tolerance, 1e-5))
    for (name, tensor), want in zip(training.network.state_dict().items(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(tensor, want, rtol=tolerance, atol=tolerance, msg=name)
