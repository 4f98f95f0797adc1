"""The images of training steps: order and augmentation of an epoch, drawn once, and the augmented images.

All networks that are trained side by side read the same images.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from roco.runtime import seed_from, torch_generator
from roco.settings import Recipe
from roco.training.adversarial import AdversarialRecipe

# The most memory that augmented images take on a GPU. A larger epoch is cut into several windows.
WINDOW_BYTES = 2**31
# The number of images that are augmented at once, because their indices take more memory than the images.
CHUNK = 8192


@dataclass(frozen=True)
class EpochPlan:
    """The random choices of one epoch. They are drawn on the CPU, so that a seed gives the same on every device.

    Attributes:
        order: the numbers of the images, int64 `(n,)`. The other attributes follow this order.
        flips: whether an image is mirrored, bool `(n,)`; None: no image is.
        shifts: row and column in the padded image where the crop begins, int64 `(2, n)`; None: no crop.
        centres: row and column of the centre of the square that is cut out, int64 `(2, n)`; None: no cutout.
    """

    order: Tensor
    flips: Tensor | None
    shifts: Tensor | None
    centres: Tensor | None

    @classmethod
    def draw(cls, n: int, recipe: Recipe, *, size: tuple[int, int], generator: torch.Generator) -> Self:
        """The plan for `n` images of `size` (height, width), from a generator on the CPU."""
        order = torch.randperm(n, generator=generator)
        flips = torch.rand(n, generator=generator) < 0.5 if recipe.flip else None
        shifts = centres = None
        if recipe.crop_padding:
            shifts = torch.randint(0, 2 * recipe.crop_padding + 1, (2, n), generator=generator)
        if recipe.cutout:
            centres = torch.stack([torch.randint(0, length, (n,), generator=generator) for length in size])
        return cls(order, flips, shifts, centres)

    def part(self, start: int, stop: int) -> Self:
        """The plan of the images from `start` up to `stop` in this order."""
        choices = (self.flips, self.shifts, self.centres)
        parts = (None if values is None else values[..., start:stop] for values in choices)
        return type(self)(self.order[start:stop], *parts)


def mean_colour(images: Tensor) -> Tensor:
    """The mean of each channel of uint8 images `(n, c, h, w)`, rounded: uint8 `(c,)`, the same on every device."""
    sums = torch.stack([part.sum(dim=(0, 2, 3), dtype=torch.int64) for part in images.split(CHUNK // 8)]).sum(dim=0)
    return (sums / (images.numel() // images.shape[1])).round().to(torch.uint8)


def augment(images: Tensor, recipe: Recipe, plan: EpochPlan, *, blank: Tensor | None = None) -> Tensor:
    """The images of a plan in its order: cropped after zero padding, mirrored, and with a square cut out.

    The square gets the mean colour. Source: DARTS and NSGA-Net, whose cutout comes after normalisation and sets 0. Here
    the mean is that of the training images, rounded to a whole pixel value.

    Args:
        images: uint8 `(m, c, h, w)`, which the plan's order refers to.
        recipe: the width of the padding and the size of the square.
        plan: of `n` images.
        blank: the colour of the square, uint8 `(c,)`; the mean colour of `images`, if not given.

    Returns:
        uint8 `(n, h, w, c)`: in the memory order "channels last", which convolutions need.
    """
    device, (height, width) = images.device, images.shape[2:]
    chosen = images.index_select(0, plan.order.to(device))
    n = len(chosen)
    rows, columns = torch.arange(height).expand(n, height), torch.arange(width).expand(n, width)
    if plan.flips is not None:
        columns = torch.where(plan.flips[:, None], columns.flip(1), columns)
    if plan.shifts is not None:
        pad = recipe.crop_padding
        chosen = F.pad(chosen, (pad, pad, pad, pad))
        rows, columns = rows + plan.shifts[0][:, None], columns + plan.shifts[1][:, None]
    index = torch.arange(n, device=device)[:, None, None]
    augmented: Tensor = chosen.permute(0, 2, 3, 1)[index, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]
    if plan.centres is not None:
        outside = _outside_squares(plan.centres, (height, width), recipe.cutout).to(device)
        augmented = torch.where(outside[:, :, :, None], augmented, mean_colour(images) if blank is None else blank)
    return augmented


def _outside_squares(centres: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """False in a square of `side` pixels around each centre: bool `(n, h, w)` (DeVries and Taylor 2017)."""
    first = centres[:, :, None] - side // 2
    in_rows, in_columns = (
        (torch.arange(length) >= begin) & (torch.arange(length) < begin + side)
        for length, begin in zip(size, first, strict=True)
    )
    outside: Tensor = ~(in_rows[:, :, None] & in_columns[:, None, :])
    return outside


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels to float32 in [0, 1]."""
    return images.float().div_(255)


class Supply:
    """The augmented images of an epoch, a window of some batches at a time, in tensors whose memory stays the same.

    The images are the same for all networks that read them, and do not depend on the size of the window.

    Args:
        images: uint8 `(n, c, h, w)`, on the device that trains.
        labels: int64 `(n,)`, on the same device.
        recipe: batch size and augmentation.
        seed: of order and augmentation.
        sharing: the number of supplies, this one included, that share the memory for windows.
        window: see the attribute; by default as large as memory allows.

    Attributes:
        batches: the number of batches of an epoch; the last may be smaller.
        window: the number of batches that are ready at once: one on a CPU, where it stays in the cache, and on a GPU as
            many as memory allows.
        images: uint8 `(window * batch size, h, w, c)`.
        labels: int64 `(window * batch size,)`.
        noise: of a step of adversarial training, float32 `(batch size, h, w, c)`, which the step fills.
        generator: of this noise, on the device of the images; it starts anew with each epoch.
    """

    noise: Tensor
    generator: torch.Generator

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        recipe: Recipe,
        *,
        seed: int,
        sharing: int = 1,
        window: int | None = None,
    ) -> None:
        self.source, self.source_labels = images, labels
        self.recipe, self.seed = recipe, seed
        n, channels, self.height, self.width = images.shape
        self.batches = math.ceil(n / recipe.batch_size)
        if window is None:
            bytes_a_batch = recipe.batch_size * channels * self.height * self.width
            window = max(1, WINDOW_BYTES // sharing // bytes_a_batch) if images.is_cuda else 1
        self.window = min(window, max(self.batches, 1))
        rows = min(self.window * recipe.batch_size, n)
        self.images = images.new_empty((rows, self.height, self.width, channels))
        self.labels = labels.new_empty(rows)
        self.blank = mean_colour(images) if recipe.cutout else None
        if isinstance(recipe, AdversarialRecipe):
            shape = (recipe.batch_size, self.height, self.width, channels)
            self.noise = torch.empty(shape, device=images.device)
            self.generator = torch.Generator(images.device)
        self.plan: EpochPlan | None = None

    def begin(self, epoch: int) -> None:
        """Draws the epoch's plan from its own generator, so that a resumed training needs no generator state."""
        generator = torch_generator("train", self.seed, epoch)
        size = (self.height, self.width)
        self.plan = EpochPlan.draw(len(self.source), self.recipe, size=size, generator=generator)
        if isinstance(self.recipe, AdversarialRecipe):
            self.generator.manual_seed(seed_from("adversarial training", self.seed, epoch))

    def fill(self, first: int) -> list[int]:
        """Fills the window that begins with batch `first`, and gives the sizes of its batches."""
        assert self.plan is not None
        size = self.recipe.batch_size
        start, stop = first * size, min((first + self.window) * size, len(self.source))
        for chunk in range(start, stop, CHUNK):
            part = self.plan.part(chunk, min(chunk + CHUNK, stop))
            rows = slice(chunk - start, chunk - start + len(part.order))
            self.images[rows] = augment(self.source, self.recipe, part, blank=self.blank)
            self.labels[rows] = self.source_labels.index_select(0, part.order.to(self.labels.device))
        return [min(size, stop - begin) for begin in range(start, stop, size)]
