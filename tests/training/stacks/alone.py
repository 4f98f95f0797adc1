"""What a network becomes that is trained alone, to compare with."""

import pytest
import torch
from small_training import data_of
from torch import nn

from roco.settings import Recipe
from roco.training.loop import Training, train

SLOW = {"learning_rate": 0.02}


def assert_as_alone(training: Training, network: nn.Module, recipe: Recipe, n: int, tolerance: float) -> None:
    images, labels = data_of(n)
    losses = train(network, images, labels=labels, recipe=recipe, seed=training.seed)
    assert training.failure is None
    assert not training.network.training
    # Losses are noted in single precision.
    assert training.losses == pytest.approx(losses, rel=max(tolerance, 1e-5))
    for (name, tensor), want in zip(training.network.state_dict().items(), network.state_dict().values(), strict=True):
        torch.testing.assert_close(tensor, want, rtol=tolerance, atol=tolerance, msg=name)
