"""Adversarial training: a step by hand, losses against their formulas, and what holds for every training."""

import contextlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import PLAIN, Small, Smooth, data_of, fresh, recipe_of, state_bytes, train
from torch import Tensor, nn
from torch.nn import functional as F

from roco.training.adversarial import AdversarialRecipe, PGDTraining, TRADESTraining
from roco.training.batches import Supply, to_unit

METHODS = ({"method": "pgd", "eps": 8.0, "alpha": 2.0, "steps": 3}, {"method": "trades", "steps": 2, "beta": 3.0})


def adversarial_recipe(adversarial: dict[str, Any], **changes: object) -> AdversarialRecipe:
    return AdversarialRecipe.model_validate({**recipe_of(**changes).model_dump(), "adversarial": adversarial})


class Alone:
    """A learner of one network that keeps the images that it was given."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.seen = network, list[Tensor]()

    def logits(self, images: Tensor) -> Tensor:
        self.seen.append(images.detach().clone())
        return self.network(images)  # type: ignore[no-any-return]

    def own(self, images: Tensor) -> Tensor:
        return images

    def cross_entropies(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="sum")[None]

    @contextlib.contextmanager
    def crafting(self) -> Iterator[None]:
        yield


def test_a_step_of_pgd_by_hand() -> None:
    # The loss of class 0 rises along the difference of the two rows: up, down, and not at all.
    linear = nn.Linear(3, 2, bias=False)
    linear.weight.data = torch.tensor([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0]])
    learner = Alone(nn.Sequential(nn.Flatten(), linear))
    clean = torch.tensor([100.0, 3.0, 254.0]).view(1, 3, 1, 1) / 255
    noise = torch.tensor([7.0, -2.0, 6.0]).view(1, 3, 1, 1) / 255
    [loss] = PGDTraining(method="pgd", eps=8.0, alpha=2.5, steps=2).losses(learner, clean, torch.tensor([0]), noise)
    levels = [[round(float(value), 4) for value in images.flatten() * 255] for images in learner.seen]
    # 1 - 2.5 is below black, 109.5 and 112 are out of the budget, and 254 + 6 is above white.
    assert levels == [[107.0, 1.0, 255.0], [108.0, 0.0, 255.0], [108.0, 0.0, 255.0]]
    difference = (2 * 108.0 - 3 * 0.0) / 255
    assert float(loss.detach()) == pytest.approx(float(F.softplus(torch.tensor(difference))), rel=1e-5)


def test_trades_is_its_formula() -> None:
    images, labels = data_of(6)
    clean, noise = to_unit(images).double(), torch.zeros(6, 3, 6, 6).double().normal_(0, 0.001)
    network = fresh(Smooth).double()
    [loss] = TRADESTraining(method="trades", eps=8.0, alpha=2.0, steps=3, beta=2.5).losses(
        Alone(network), clean, labels, noise
    )
    gradients = torch.autograd.grad(loss, list(network.parameters()))

    def divergence(perturbed: Tensor) -> Tensor:
        p, q = network(clean).softmax(1), network(perturbed).softmax(1)
        return (p * (p / q).log()).sum()

    perturbed = clean + noise
    for _ in range(3):
        perturbed = perturbed.detach().clamp(0, 1).requires_grad_()
        [rise] = torch.autograd.grad(divergence(perturbed), perturbed)
        perturbed = perturbed + rise.sign() * 2 / 255
        perturbed = torch.minimum(torch.maximum(perturbed, clean - 8 / 255), clean + 8 / 255)
    wanted = F.cross_entropy(network(clean), labels, reduction="sum") + 2.5 * divergence(perturbed.detach().clamp(0, 1))
    assert float(divergence(perturbed.detach().clamp(0, 1)).detach()) > 1e-4
    torch.testing.assert_close(loss, wanted, rtol=1e-9, atol=0)
    for gradient, expected in zip(gradients, torch.autograd.grad(wanted, list(network.parameters())), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("adversarial", METHODS)
def test_a_step_of_training_descends_the_loss_and_moves_statistics_once_a_training_pass(
    adversarial: dict[str, Any],
) -> None:
    images, labels = data_of(8)
    recipe = adversarial_recipe(adversarial, **PLAIN, epochs=1, batch_size=8, gradient_clip=None, weight_decay=0.0)
    network, expected = fresh(Small), fresh(Small)
    learner = Alone(expected.train())
    [loss_before] = train(network, images, labels=labels, recipe=recipe, seed=3)
    passes = 1 if adversarial["method"] == "pgd" else 2
    statistics: Any = network[1]
    assert statistics.num_batches_tracked == passes
    # The same from outside, with noise of the same seed in the same order of images.
    supply = Supply(images, labels, recipe, seed=3)
    supply.begin(0)
    supply.fill(0)
    recipe.adversarial.draw(supply.noise, supply.generator)
    clean, noise = (each.permute(0, 3, 1, 2) for each in (to_unit(supply.images), supply.noise))
    [loss] = recipe.adversarial.losses(learner, clean, supply.labels, noise) / 8
    assert loss_before == pytest.approx(float(loss.detach()), rel=1e-5)
    gradients = torch.autograd.grad(loss, list(expected.parameters()))
    for actual, before, gradient in zip(network.parameters(), expected.parameters(), gradients, strict=True):
        torch.testing.assert_close(actual, before - recipe.learning_rate * gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("adversarial", "precision"), [*product(METHODS, ("fp32", "bf16"))])
def test_an_interrupted_training_ends_with_the_same_bytes(
    adversarial: dict[str, Any], precision: str, tmp_path: Path
) -> None:
    images, labels = data_of()
    recipe = adversarial_recipe(adversarial, precision=precision)
    whole, first, second = fresh(Small), fresh(Small), fresh(Small, seed=99)
    losses = train(whole, images, labels=labels, recipe=recipe, seed=3)
    checkpoint = tmp_path / "checkpoint.safetensors"

    def interrupt(epoch: int, _: float) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    where = {"labels": labels, "recipe": recipe, "seed": 3, "checkpoint": checkpoint}
    with pytest.raises(KeyboardInterrupt):
        train(first, images, on_epoch=interrupt, **where)  # type: ignore[arg-type]
    assert train(second, images, **where) == losses  # type: ignore[arg-type]
    assert state_bytes(second) == state_bytes(whole)
    # Another seed draws other noise, and clean images give other weights.
    plain, other = fresh(Small), fresh(Small)
    train(plain, images, labels=labels, recipe=recipe_of(precision=precision), seed=3)
    train(other, images, labels=labels, recipe=recipe, seed=4)
    assert len({state_bytes(each) for each in (whole, plain, other)}) == 3


def test_it_holds_where_a_standard_training_falls() -> None:
    """On images whose classes differ by less than the budget in all values but those of one colour."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(64) % 2
    images = torch.full((64, 3, 6, 6), 100.0)
    # Weak in two colours and always right; strong in the third and right nine times of ten.
    images[:, :2] += 4.0 * (2 * labels[:, None, None, None] - 1)
    strong = torch.where(torch.rand(64, generator=generator) < 0.9, labels, 1 - labels)
    images[:, 2] += 60.0 * (2 * strong[:, None, None] - 1)
    images = (images + torch.randn(64, 3, 6, 6, generator=generator)).to(torch.uint8)
    accuracy = {}
    for name, recipe in {
        "standard": recipe_of(**PLAIN, epochs=60),
        "adversarial": adversarial_recipe({"method": "pgd", "eps": 16.0, "alpha": 4.0, "steps": 5}, **PLAIN, epochs=60),
    }.items():
        network = fresh(Small, seed=2)
        train(network, images, labels=labels, recipe=recipe, seed=0)
        shifted = to_unit(images) - 16.0 / 255 * (2 * labels[:, None, None, None] - 1)
        accuracy[name] = float((network(shifted).argmax(1) == labels).float().mean())
    assert accuracy["standard"] < 0.5 < 0.8 < accuracy["adversarial"]


def test_methods_say_what_they_cost_and_are_called() -> None:
    pgd, trades = (adversarial_recipe(each).adversarial for each in METHODS)
    assert (pgd.passes, trades.passes) == (4, 4)
    assert pgd.in_words == "PGD training (eps 8, alpha 2, steps 3; eps and alpha in 1/255)"
    assert trades.in_words == "TRADES (eps 8, alpha 2, steps 2, beta 3; eps and alpha in 1/255)"
