from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as testing
from hypothesis import strategies as st
from torch import Tensor, nn

from roco.attacks.records import CellSuccesses, TransferPair
from roco.attacks.sets import AdversarialSet
from roco.attacks.sets.transfer import measure_transfer, noisy
from roco.data.dataset import Split
from roco.errors import AttackError


class Brightest(nn.Module):
    """Says which channel of one pixel is brightest; the pixel is all that it looks at."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self.scale, self.place = nn.Parameter(torch.ones(())), (row, column)

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :, self.place[0], self.place[1]] * self.scale


NETWORKS = {"lenet": Brightest(0, 0), "resnet": Brightest(0, 1)}


@pytest.fixture
def split() -> Split:
    """Four images of class 0, all in red; the fourth is green where resnet looks."""
    images = np.zeros((4, 3, 2, 3), dtype=np.uint8)
    images[:, 0] = 100
    images[3, :, 0, 1] = (0, 100, 0)
    return Split(images, np.zeros(4, dtype=np.int64))


@pytest.fixture
def adversarial(split: Split) -> AdversarialSet:
    """Made on lenet: three pixels of every image turn blue; of images 0 and 3 also the one that resnet looks at."""
    images = split.images.copy()
    images[:, :, 0, 0] = images[[0, 3], :, 0, 1] = (0, 0, 255)
    cells = [("lenet", "l0", 2, 4), ("resnet", "l0", 2, 0)]
    return AdversarialSet(
        images=images,
        labels=split.labels,
        target=np.array([b"lenet"] * 4),
        norm=np.array([b"l0"] * 4),
        threshold=np.full(4, 2),
        source_index=np.arange(4),
        target_prediction=np.full(4, 2),
        margin=np.ones(4, dtype=np.float32),
        split="test",
        attacked=tuple(CellSuccesses(target=t, norm=n, threshold=k, attacked=4, successes=s) for t, n, k, s in cells),
        settings={},
        seed=0,
        versions={},
        dataset_fingerprint="f00d",
    )


def test_only_images_that_the_other_target_had_right_count(adversarial: AdversarialSet, split: Split) -> None:
    from_lenet, from_resnet = measure_transfer(adversarial, NETWORKS, split, seed=0)
    assert (from_lenet.source, from_lenet.target) == ("lenet", "resnet")
    # Image 3 was wrong before; of the other three, image 0 transfers.
    assert (from_lenet.images, from_lenet.fooled) == (3, 1)
    assert from_resnet == TransferPair(
        norm="l0", threshold=2, source="resnet", target="lenet", images=0, fooled=0, noise=0
    )


def test_noise_is_counted_as_it_was_drawn(adversarial: AdversarialSet, split: Split) -> None:
    cells = tuple(cell.model_copy(update={"threshold": 6}) for cell in adversarial.attacked)
    whole_budget = replace(adversarial, threshold=np.full(4, 6), attacked=cells)
    counts = []
    for seed in range(40):
        row, _ = measure_transfer(whole_budget, NETWORKS, split, seed=seed)
        counts.append(row.noise)
        assert row == measure_transfer(whole_budget, NETWORKS, split, seed=seed)[0]
    # All pixels get random corners; ties go to red: green or blue wins where red is off and another is on, 3 in 8.
    assert np.mean(counts) == pytest.approx(3 * 3 / 8, abs=0.4)


def test_a_set_without_images_transfers_nothing(adversarial: AdversarialSet, split: Split) -> None:
    columns = ("images", "labels", "target", "norm", "threshold", "source_index", "target_prediction", "margin")
    nothing = replace(adversarial, **{name: getattr(adversarial, name)[:0] for name in columns})
    assert [row.images for row in measure_transfer(nothing, NETWORKS, split, seed=0)] == [0, 0]


def test_a_missing_target_is_named(adversarial: AdversarialSet, split: Split) -> None:
    with pytest.raises(AttackError, match="expected all targets of the set, got lenet and no resnet"):
        measure_transfer(adversarial, {"lenet": NETWORKS["lenet"]}, split, seed=0)


@testing(max_examples=30, deadline=None)
@given(threshold=st.integers(1, 255), seed=st.integers(0, 999))
def test_noise_has_the_whole_budget_and_no_more(threshold: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(1, 255, (3, 4, 5)).astype(np.uint8)
    change = noisy(image, "linf", threshold, np.random.default_rng(seed)).astype(int) - image
    free = (image >= threshold) & (image <= 255 - threshold)
    assert (np.abs(change[free]) == threshold).all()
    assert np.abs(change).max() <= threshold
    pixels = noisy(image, "l0", threshold, np.random.default_rng(seed)) != image
    # No value of the image is a corner's, so that every pixel of the noise shows.
    assert pixels.all(axis=0).sum() == pixels.any(axis=0).sum() == min(threshold, 20)
