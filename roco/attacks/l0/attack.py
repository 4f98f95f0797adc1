"""What all L0 attacks share: how they are called, when an image is done, and the exhaustive search for one pixel."""

from collections.abc import Sequence

import numpy as np

from roco.attacks.l0.pixels import CORNERS, Generators, Problem
from roco.attacks.norms import DECIDED, forward_batch
from roco.attacks.passes import Passes
from roco.attacks.types import Network, Tensor
from roco.settings import NonNegative, Section


class PixelAttack(Section):
    """An L0 attack: its settings, and how it changes at most k pixels of an image."""

    method: str

    def perturb(
        self, problem: Problem, *, n_pixels: int, generators: Generators, start: Tensor | None = None
    ) -> Tensor:
        """Perturbed images with at most k changed pixels each; the caller decides what a success is.

        Args:
            problem: the network, and images that it classifies correctly.
            n_pixels: k, how many pixels may change.
            generators: one for each image, so that its result does not depend on which others are attacked.
            start: uint8 `(n, 3, h, w)` with at most k changed pixels each; the result is never worse than these.

        Returns:
            uint8 `(n, 3, h, w)`: for each image the perturbed one with the largest margin.
        """
        raise NotImplementedError

    def passes(self, thresholds: Sequence[int], *, size: int) -> Passes:
        """Passes of an image that is attacked at rising thresholds in pixels, if it takes all queries and steps.

        Args:
            thresholds: in rising order.
            size: pixels on a side of the image.
        """
        raise NotImplementedError


class PushedAttack(PixelAttack):
    """What the L0 attacks share that are pushed on to a margin in logits, for what is pushed far transfers.

    Attributes:
        margin: by how many logits a wrong class has to lead before an image is done.
        exhaustive: whether all pixels are tried in all corner colours where one may change.
    """

    margin: NonNegative = 5.0
    exhaustive: bool = False

    @property
    def margin_to_reach(self) -> float:
        """The margin at which an image is done; never so small that rounding decides."""
        return max(self.margin, DECIDED)

    def perturb(
        self, problem: Problem, *, n_pixels: int, generators: Generators, start: Tensor | None = None
    ) -> Tensor:
        """See `PixelAttack`; a single pixel is searched for exhaustively where the settings say so."""
        if self.exhaustive and n_pixels == 1:
            return best_single_pixel(problem)
        return self.push(problem, n_pixels=n_pixels, generators=generators, start=start)

    def push(self, problem: Problem, *, n_pixels: int, generators: Generators, start: Tensor | None = None) -> Tensor:
        """The attack itself; see `PixelAttack.perturb`."""
        raise NotImplementedError

    def passes(self, thresholds: Sequence[int], *, size: int) -> Passes:
        """See `PixelAttack`; an exhaustive search takes the place of the attack at a threshold of one pixel."""
        if not (self.exhaustive and thresholds[0] == 1):
            return self.push_passes(pixels=thresholds[-1], thresholds=len(thresholds))
        rest = self.push_passes(pixels=thresholds[-1] - 1, thresholds=len(thresholds) - 1)
        return Passes(forward=len(CORNERS) * size**2) + rest

    def push_passes(self, *, pixels: int, thresholds: int) -> Passes:
        """Passes of an image that is pushed at so many thresholds, which add so many pixels in all."""
        raise NotImplementedError


def attack_l0(
    network: Network,
    images: Tensor,
    *,
    labels: Tensor,
    n_pixels: int,
    settings: PixelAttack,
    generators: Generators,
    start: Tensor | None = None,
) -> Tensor:
    """Images uint8 `(n, 3, h, w)` under an attack with at most k changed pixels; see `PixelAttack.perturb`.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        settings: the attack.
        generators: one for each image.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each.
    """
    problem = Problem(network.eval(), images, labels, forward_batch(images.device))
    return settings.perturb(problem, n_pixels=n_pixels, generators=generators, start=start)


def best_single_pixel(problem: Problem) -> Tensor:
    """Images uint8 `(n, 3, h, w)` with the best single pixel in a corner colour: all of them are tried."""
    positions = np.repeat(np.arange(problem.positions), len(CORNERS))[:, None]
    colours = np.tile(CORNERS, (problem.positions, 1))[:, None]
    rows = np.arange(len(problem.images))
    best = np.array(
        [problem.margins(np.full(len(positions), row), positions, colours=colours).argmax() for row in rows], dtype=int
    )
    return problem.changed(rows, positions[best], colours=colours[best])
