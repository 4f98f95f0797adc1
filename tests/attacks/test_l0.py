from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as testing
from hypothesis import strategies as st
from torch import Tensor, nn

from roco.attacks.l0 import (
    DifferentialEvolution,
    Greedy,
    L0Attack,
    MaskedGradient,
    RandomSearch,
    SigmaZero,
    SparseGradient,
    attack_l0,
)
from roco.attacks.l0.counter import keys_of
from roco.attacks.l0.random_search import resampled
from roco.attacks.norms import DECIDED, changed_pixels, margins_of
from roco.data.dataset import Split

SMALL = {
    "differential_evolution": DifferentialEvolution(population=8, steps=6),
    "random_search": RandomSearch(queries=40, margin=1.0, greedy_candidates=0),
    "random_search after greedy": RandomSearch(queries=10, margin=1.0, greedy_candidates=3),
    "greedy": Greedy(candidates=5, margin=1.0),
    "greedy with more": Greedy(candidates=200, rivals=5, corners=2, margin=1.0),
    "sparse_gradient": SparseGradient(steps=6, margin=1.0),
    "sigma_zero": SigmaZero(steps=6, margin=1.0),
    "masked_gradient": MaskedGradient(steps=6, margin=1.0),
    "exhaustive": Greedy(candidates=5, margin=1.0, exhaustive=True),
}
each = pytest.mark.parametrize("settings", SMALL.values(), ids=SMALL.keys())


def keys(indices: Sequence[int], seed: int = 0) -> Tensor:
    return keys_of(seed, rows=indices)


def best_margins(network: nn.Module, images: Tensor, labels: Tensor, k: int) -> Tensor:
    """Closed form for two classes: each pixel goes to the corner that gains most, and the k best pixels are taken."""
    weight = network.weight.detach()[1 - labels] - network.weight.detach()[labels]
    pixels, weight = (images.float() / 255).flatten(2), weight.view(len(images), 3, -1)
    gains = torch.maximum(-weight * pixels, weight * (1 - pixels)).sum(dim=1)
    return margins_of(network, images, labels=labels, batch_size=64) + gains.topk(k, dim=1).values.sum(dim=1)


def tensors(split: Split) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(split.images), torch.from_numpy(split.labels)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        RandomSearch(queries=5000, margin=1e6, greedy_candidates=0),
        RandomSearch(queries=3, margin=1e6, greedy_candidates=1),
        Greedy(candidates=1, margin=1e6),
        Greedy(candidates=64, rivals=4, corners=3, margin=1e6),
        SparseGradient(steps=30, margin=1e6),
        Greedy(candidates=1, margin=1e6, exhaustive=True),
    ],
    ids=["random_search", "greedy first", "greedy", "greedy with more", "sparse_gradient", "exhaustive"],
)
def test_the_best_pixels_are_found(make_linear, make_split, settings: L0Attack, k: int) -> None:
    network = make_linear(blocks=2)
    images, labels = tensors(make_split(network, 3, spread=0))
    found = attack_l0(network, images, labels=labels, n_pixels=k, settings=settings, keys=keys([0, 1, 2]))
    margins = margins_of(network, found, labels=labels, batch_size=64)
    torch.testing.assert_close(margins, best_margins(network, images, labels, k), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "k", "reached"),
    [
        (RandomSearch(queries=2500, margin=0.0, greedy_candidates=0), 1, 0.95),
        (RandomSearch(queries=2500, margin=0.0, greedy_candidates=0), 3, 0.95),
        (Greedy(candidates=2, margin=0.0), 3, 0.99),
        (SparseGradient(steps=30, margin=0.0), 3, 0.99),
        (SigmaZero(steps=300, margin=0.0), 3, 0.8),
        (MaskedGradient(steps=300, margin=0.0), 3, 0.8),
        (Greedy(exhaustive=True, margin=0.0), 1, 0.99),
        (DifferentialEvolution(population=60, steps=60), 1, 0.95),
        (DifferentialEvolution(population=60, steps=60), 3, 0.6),
    ],
    ids=lambda value: getattr(value, "method", str(value)),
)
def test_success_if_the_best_pixels_reach_it(
    make_linear, make_split, settings: L0Attack, k: int, reached: float
) -> None:
    network = make_linear(seed=1, blocks=2)
    images, labels = tensors(make_split(network, 8, spread=20))
    # The boundary is moved for each image: within and beyond what the best k pixels can reach.
    for share, expected in ((reached, True), (1.01, False)):
        clean = margins_of(network, images, labels=labels, batch_size=64)
        gain = best_margins(network, images, labels, k) - clean
        for row in range(0, len(images), 4):
            moved = make_linear(seed=1, blocks=2)
            with torch.no_grad():
                moved.bias[labels[row]] += clean[row] + share * gain[row]
            common = {"n_pixels": k, "settings": settings, "keys": keys([row])}
            found = attack_l0(moved, images[row : row + 1], labels=labels[row : row + 1], **common)
            margin = margins_of(moved, found, labels=labels[row : row + 1], batch_size=1)
            assert (margin >= DECIDED).item() is expected


@each
@testing(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 40), size=st.sampled_from([(2, 5), (4, 4), (5, 3)]))
def test_the_budget_is_never_broken(settings: L0Attack, seed: int, k: int, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    images = torch.from_numpy(generator.integers(0, 256, (3, 3, *size)).astype(np.uint8))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Flatten(), nn.Linear(images[0].numel(), 3))
    labels = torch.tensor([0, 1, 2])
    common = {"labels": labels, "settings": settings}
    first = attack_l0(network, images, n_pixels=k, keys=keys([0, 1, 2], seed), **common)
    assert first.dtype == torch.uint8
    assert (changed_pixels(images, first) <= k).all()
    second = attack_l0(network, images, n_pixels=k + 1, keys=keys([3, 4, 5], seed), start=first, **common)
    assert (changed_pixels(images, second) <= k + 1).all()
    before, after = (margins_of(network, found, labels=labels, batch_size=64) for found in (first, second))
    assert (after >= before - 1e-5).all()


@each
@pytest.mark.parametrize("look", [1, 3])
def test_a_result_depends_on_no_other_image_and_not_on_when_the_host_looks(
    convolutional, make_split, monkeypatch: pytest.MonkeyPatch, settings: L0Attack, look: int
) -> None:
    images, labels = tensors(make_split(convolutional, 12))
    common = {"n_pixels": 3, "settings": settings}
    together = attack_l0(convolutional, images, labels=labels, keys=keys(range(12)), **common)
    for module in ("random_search", "steps"):
        monkeypatch.setattr(f"roco.attacks.l0.{module}.LOOK", look)
    chosen = [7, 2, 11]
    alone = attack_l0(convolutional, images[chosen], labels=labels[chosen], keys=keys(chosen), **common)
    assert torch.equal(together[chosen], alone)
    random = settings.method in ("differential_evolution", "masked_gradient", "random_search")
    others = attack_l0(convolutional, images, labels=labels, keys=keys(range(12), seed=1), **common)
    assert torch.equal(together, others) is not random


def test_greedy_takes_the_class_that_a_pixel_can_reach(make_linear, make_split) -> None:
    network = make_linear(classes=5, seed=4)
    images, labels = tensors(make_split(network, 30, spread=20))
    pixels, weight = (images.float() / 255).flatten(2), network.weight.detach().view(5, 3, -1)
    slopes = weight - weight[labels][:, None]
    gains = torch.maximum(-slopes * pixels[:, None], slopes * (1 - pixels[:, None])).sum(dim=2).amax(dim=2)
    logits = network(images / 255)
    leads = (logits - logits.gather(1, labels[:, None]) + gains).scatter(1, labels[:, None], -torch.inf)
    found = {}
    for rivals in (1, 4):
        settings = Greedy(candidates=1, rivals=rivals, margin=1e6)
        result = attack_l0(network, images, labels=labels, n_pixels=1, settings=settings, keys=keys(range(len(images))))
        found[rivals] = margins_of(network, result, labels=labels, batch_size=64)
    torch.testing.assert_close(found[4], leads.amax(dim=1), rtol=0, atol=1e-3)
    assert (found[1] < found[4] - 1e-3).any()


class Bowl(nn.Module):
    """The lead of class 1 over class 0: 10 times the squared distance of the first pixel's red from 0.45, less 1."""

    def forward(self, images: Tensor) -> Tensor:
        lead = 10 * (images[:, 0, 0, 0] - 0.45) ** 2 - 1
        return torch.stack([torch.zeros_like(lead), lead + 0 * images.sum(dim=(1, 2, 3))], dim=1)


@pytest.mark.parametrize("corners", [0, 1])
def test_greedy_tries_the_colours_that_the_gradient_does_not_name(corners: int) -> None:
    images = torch.full((2, 3, 4, 4), 102, dtype=torch.uint8)
    settings = Greedy(candidates=1, corners=corners, margin=1e6)
    labels = torch.zeros(2, dtype=torch.long)
    found = attack_l0(Bowl(), images, labels=labels, n_pixels=1, settings=settings, keys=keys(range(len(images))))
    # At 0.4 the slope points to 0; 1 lies further away.
    assert (found[:, 0, 0, 0] == (255 if corners else 0)).all()


def test_greedy_tries_no_more_than_it_needs(convolutional, make_split, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roco.attacks.l0.greedy.FIRST_BLOCK", 2)
    monkeypatch.setattr("roco.attacks.l0.greedy.HOPELESS", -1e9)
    images, labels = tensors(make_split(convolutional, 40))
    passes: list[int] = []
    convolutional.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
    found, tried = [], []
    common = {"labels": labels, "n_pixels": 1, "keys": keys(range(len(images)))}
    for candidates in (2, 4, 8):
        passes.clear()
        settings = Greedy(candidates=candidates, margin=0.0)
        found.append(attack_l0(convolutional, images, settings=settings, **common))
        tried.append(sum(passes))
    fooled = [margins_of(convolutional, each, labels=labels, batch_size=64) >= DECIDED for each in found]
    assert 0 < fooled[0].sum() <= fooled[2].sum() < len(images)
    # An image that falls to a block of candidates is not tried on.
    assert torch.equal(found[0][fooled[0]], found[2][fooled[0]])
    assert tried[1] - tried[0] == 2 * int((~fooled[0]).sum())
    assert tried[2] - tried[1] == 4 * int((~fooled[1]).sum())


@pytest.mark.parametrize("k", [1, 2])
def test_greedy_gives_up_where_the_last_pixel_is_far_from_enough(
    convolutional, make_split, monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    monkeypatch.setattr("roco.attacks.l0.greedy.FIRST_BLOCK", 2)
    images, labels = tensors(make_split(convolutional, 40))
    # With one pixel, what the first block makes of an image decides; with two it decides for the second pixel only.
    common = {"labels": labels, "n_pixels": k, "keys": keys(range(len(images)))}
    first = attack_l0(convolutional, images, settings=Greedy(candidates=2, margin=0.0), **common)
    more = Greedy(candidates=64, margin=0.0)
    found = attack_l0(convolutional, images, settings=more, **common)
    monkeypatch.setattr("roco.attacks.l0.greedy.HOPELESS", -1e9)
    everything = attack_l0(convolutional, images, settings=more, **common)
    clean, few, some, all_tried = (
        margins_of(convolutional, each, labels=labels, batch_size=64) for each in (images, first, found, everything)
    )
    given_up = few < clean + 0.75 * (DECIDED - clean)
    assert 0 < given_up.sum() < len(images)
    if k == 1:
        assert torch.equal(found[given_up], first[given_up])
        assert torch.equal(found[~given_up], everything[~given_up])
    assert (some <= all_tried + 1e-5).all()
    assert (some < all_tried - 1e-3).any()


def test_random_search_goes_on_to_its_margin(make_linear, make_split) -> None:
    network = make_linear(seed=2)
    images, labels = tensors(make_split(network, 6, spread=10))
    margins = {}
    for margin in (0.0, 5.0):
        found = attack_l0(
            network,
            images,
            labels=labels,
            n_pixels=10,
            settings=RandomSearch(queries=400, margin=margin, greedy_candidates=0),
            keys=keys(list(range(6))),
        )
        margins[margin] = margins_of(network, found, labels=labels, batch_size=64)
    assert (margins[5.0] >= 5.0).all()
    assert (margins[0.0] >= DECIDED).all()
    assert (margins[0.0] < 5.0).any()


def test_images_that_are_done_are_not_queried_again(make_linear, make_split) -> None:
    network = make_linear()
    images, labels = tensors(make_split(network, 8, spread=5))
    rows: list[int] = []
    network.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    common = {"labels": labels, "n_pixels": 12, "keys": keys(list(range(8)))}
    attack_l0(network, images, settings=DifferentialEvolution(population=10, steps=50), **common)
    assert sum(rows) < 10 * 8 * 51 / 2
    rows.clear()
    attack_l0(network, images, settings=RandomSearch(queries=500, margin=0.0, greedy_candidates=0), **common)
    assert sum(rows) < 8 * 500 / 2


def test_fewer_pixels_are_drawn_anew_as_the_search_goes_on() -> None:
    counts = [resampled(progress, 100) for progress in (0.001, 0.01, 0.03, 0.07, 0.15, 0.3, 0.5, 0.7, 0.9)]
    assert counts == [15, 7, 6, 5, 3, 3, 2, 2, 1]
    assert resampled(0.001, 1) == 1
