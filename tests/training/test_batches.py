import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_training import PLAIN, data_of, recipe_of
from torch import Tensor
from torch.nn import functional as F

from roco.settings import Recipe
from roco.training.batches import EpochPlan, Supply, augment, mean_colour


def augmented(images: Tensor, recipe: Recipe, seed: int, blank: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Images in the order of a plan, and what becomes of them, both `(n, c, h, w)`."""
    height, width = images.shape[2:]
    generator = torch.Generator().manual_seed(seed)
    plan = EpochPlan.draw(len(images), recipe, size=(height, width), generator=generator)
    return images[plan.order], augment(images, recipe, plan, blank=blank).permute(0, 3, 1, 2)


def windows(image: Tensor, pad: int) -> list[Tensor]:
    """All crops of a padded image, in the order of their shifts."""
    _, height, width = image.shape
    padded = F.pad(image, (pad, pad, pad, pad))
    return [
        padded[:, y : y + height, x : x + width] for y in range(2 * pad + 1) for x in range(2 * pad + 1)
    ]  # fmt: skip


@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(2, 6), st.integers(2, 6)),
    pad=st.integers(0, 3),
    flip=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_augmented_images_are_crops_of_the_padded_ones(
    size: tuple[int, int, int], pad: int, flip: bool, seed: int
) -> None:
    n, height, width = size
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (n, 3, height, width), generator=generator).to(torch.uint8)
    images, actual = augmented(images, recipe_of(crop_padding=pad, flip=flip, cutout=0), seed)
    assert (actual.shape, actual.dtype) == (images.shape, torch.uint8)
    for before, after in zip(images, actual, strict=True):
        allowed = windows(before, pad) + (windows(before.flip(2), pad) if flip else [])
        assert any(torch.equal(after, window) for window in allowed)


def test_all_shifts_and_flips_come_alike_often() -> None:
    image = torch.arange(1, 28, dtype=torch.uint8).view(3, 3, 3)
    allowed = windows(image, 1) + windows(image.flip(2), 1)
    _, actual = augmented(image.expand(3600, 3, 3, 3), recipe_of(crop_padding=1, cutout=0), 0)
    counts = [int((actual == window).flatten(1).all(dim=1).sum()) for window in allowed]
    assert sum(counts) == 3600
    # 200 each on average, with a standard deviation of 14.
    assert all(140 < count < 260 for count in counts)


@settings(max_examples=40)
@given(side=st.integers(1, 8), seed=st.integers(0, 1000))
def test_cutout_blanks_a_square_and_nothing_else(side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (6, 3, 5, 7), generator=generator).to(torch.uint8)
    mean = torch.from_numpy(images.numpy().mean(axis=(0, 2, 3)).round().astype(np.uint8))
    # No pixel has the mean colour of itself.
    images[(images == mean[:, None, None]).all(dim=1)[:, None].expand_as(images)] += 1
    images, actual = augmented(images, recipe_of(**PLAIN | {"cutout": side}), seed, blank=mean)
    assert actual.dtype == torch.uint8
    for before, after in zip(images, actual, strict=True):
        blank = (after == mean[:, None, None]).all(dim=0)
        assert torch.equal(after, torch.where(blank, mean[:, None, None], before))
        rows, columns = blank.any(dim=1).nonzero()[:, 0], blank.any(dim=0).nonzero()[:, 0]
        # A rectangle without gaps: a square, which the border may cut.
        assert 1 <= len(rows) <= side
        assert 1 <= len(columns) <= side
        assert int(blank.sum()) == len(rows) * len(columns)
        assert int(rows[-1] - rows[0]) == len(rows) - 1
        assert int(columns[-1] - columns[0]) == len(columns) - 1


def test_what_is_cut_out_is_the_mean_and_so_nothing_after_normalisation() -> None:
    images = torch.randint(0, 200, (3000, 3, 5, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images[:, 1] += 50
    mean = mean_colour(images)
    assert mean.tolist() == images.numpy().mean(axis=(0, 2, 3)).round().tolist()
    recipe = recipe_of(**PLAIN | {"cutout": 99})
    _, actual = augmented(images, recipe, 0)
    assert torch.equal(actual, mean[:, None, None].expand_as(actual))
    supply = Supply(images, torch.zeros(3000, dtype=torch.int64), recipe, seed=0, window=1)
    supply.begin(0)
    supply.fill(0)
    assert torch.equal(supply.images, mean.expand_as(supply.images))
    unit = images.double() / 255
    normalised = (mean / 255 - unit.mean(dim=(0, 2, 3))) / unit.std(dim=(0, 2, 3))
    assert normalised.abs().max() < 0.5 / 255 / unit.std(dim=(0, 2, 3)).min()


def test_augmentation_follows_its_seed() -> None:
    images, _ = data_of()
    first, same, other = (augmented(images, recipe_of(), seed)[1] for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    before, after = augmented(images, recipe_of(**PLAIN), 1)
    assert torch.equal(before, after)
    assert not torch.equal(before, images)


@pytest.mark.parametrize("n", [16, 17, 19])
def test_an_epoch_is_the_same_in_windows_of_any_length(n: int) -> None:
    images, labels = data_of(n)
    epochs = []
    for window in (1, 2, 9):
        supply = Supply(images, labels, recipe_of(), seed=4, window=window)
        supply.begin(3)
        actual, sizes = list[Tensor](), list[int]()
        for first in range(0, supply.batches, supply.window):
            here = supply.fill(first)
            sizes += here
            actual += [supply.images[: sum(here)].clone().flatten(1), supply.labels[: sum(here), None].clone()]
        assert sizes == [8] * (n // 8) + ([n % 8] if n % 8 else [])
        epochs.append((torch.cat(actual[::2]), torch.cat(actual[1::2])))
    for pixels, classes in epochs[1:]:
        assert torch.equal(pixels, epochs[0][0])
        assert torch.equal(classes, epochs[0][1])
    assert torch.equal(epochs[0][1].flatten().sort().values, labels.sort().values)
    other = Supply(images, labels, recipe_of(), seed=4, window=9)
    other.begin(2)
    other.fill(0)
    assert not torch.equal(other.images.flatten(1), epochs[0][0])
