from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from roco.attacks.linf import MomentumIterative, ProjectedGradient, attack_linf, round_within
from roco.attacks.norms import DECIDED, largest_change, margins_of
from roco.attacks.white_box import APGDCE
from roco.attacks.white_box.attack import Inputs

ATTACKS = [ProjectedGradient(steps=12, restarts=2), MomentumIterative(steps=12)]
both = pytest.mark.parametrize("attack", ATTACKS, ids=["pgd", "mifgsm"])


@both
@pytest.mark.parametrize("threshold", [1, 3, 10])
def test_a_linear_network_is_pushed_to_its_corner(make_linear, make_split, attack, threshold: int) -> None:
    network = make_linear()
    split = make_split(network, 6, spread=40)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    found = attack_linf(network, images, labels=labels, threshold=threshold, settings=attack, seed=0)
    weight = network.weight.detach()[1 - labels] - network.weight.detach()[labels]
    best = images.short() + threshold * weight.sign().view(images.shape).short()
    assert torch.equal(found.short(), best)
    gain = weight.abs().sum(dim=1) * threshold / 255
    expected = margins_of(network, images, labels=labels, batch_size=8) + gain
    torch.testing.assert_close(margins_of(network, found, labels=labels, batch_size=8), expected, rtol=1e-4, atol=1e-3)


@both
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), threshold=st.integers(1, 60))
def test_the_budget_is_never_broken(attack, seed: int, threshold: int) -> None:
    generator = np.random.default_rng(seed)
    images = torch.from_numpy(generator.choice([0, 1, 100, 254, 255], (3, 3, 4, 4)).astype(np.uint8))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    common = {"labels": torch.tensor([0, 1, 2]), "settings": attack, "seed": seed}
    first = attack_linf(network, images, threshold=threshold, **common)
    assert first.dtype == torch.uint8
    assert (largest_change(images, first) <= threshold).all()
    second = attack_linf(network, images, threshold=threshold + 1, start=first, **common)
    assert (largest_change(images, second) <= threshold + 1).all()
    before, after = (margins_of(network, f, labels=common["labels"], batch_size=8) for f in (first, second))
    assert (after >= before).all()


@pytest.mark.parametrize(
    ("clean", "found", "expected"),
    [(100, 103.6 / 255, 103), (100, 90.0 / 255, 97), (254, 1.5, 255), (2, -0.5, 0), (9, float("nan"), 9)],
)
def test_rounding_keeps_the_budget(clean: int, found: float, expected: int) -> None:
    images = torch.full((1, 3, 1, 1), clean, dtype=torch.uint8)
    assert round_within(images, torch.full((1, 3, 1, 1), found), threshold=3).flatten().tolist() == [expected] * 3


def test_a_network_without_gradient_leaves_the_images(make_split) -> None:
    class Steps(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean(dim=(1, 2, 3)) * 0
            return torch.stack([mean + 1, mean], dim=1)

    split = make_split(Steps(), 4)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    found = attack_linf(Steps(), images, labels=labels, threshold=3, settings=MomentumIterative(steps=3), seed=0)
    assert torch.equal(found, images)


def test_a_seed_gives_the_same_images_and_global_numbers_are_left_alone(convolutional, make_split) -> None:
    split = make_split(convolutional, 8)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    attack: Callable[[int], Tensor] = lambda seed: attack_linf(  # noqa: E731
        convolutional, images, labels=labels, threshold=8, settings=ProjectedGradient(steps=2), seed=seed
    )
    torch.manual_seed(1)
    first, number = attack(0), torch.rand(())
    torch.manual_seed(1)
    assert torch.rand(()) == number
    assert torch.equal(first, attack(0))
    assert not torch.equal(first, attack(1))


@pytest.mark.parametrize("attack", [ProjectedGradient(steps=40), MomentumIterative(steps=40)], ids=["pgd", "mifgsm"])
def test_successes_are_within_a_point_of_apgd(convolutional, make_split, attack) -> None:
    split = make_split(convolutional, 120)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    shares: list[tuple[float, float]] = []
    for threshold in (1, 3, 5, 10):
        attack_of_threshold = APGDCE(method="apgd_ce", eps=threshold, steps=100)
        apgd = attack_of_threshold.perturb_all(Inputs(convolutional, images, labels, range(120), 0, 120))
        pair = (
            round_within(images, apgd, threshold=threshold),
            attack_linf(convolutional, images, labels=labels, threshold=threshold, settings=attack, seed=0),
        )
        margins = [margins_of(convolutional, found, labels=labels, batch_size=120) for found in pair]
        shares.append(tuple((margin >= DECIDED).float().mean().item() for margin in margins))
    assert 0.05 < shares[0][0] < shares[-1][0]
    assert all(ours >= theirs - 0.01 for theirs, ours in shares), shares
