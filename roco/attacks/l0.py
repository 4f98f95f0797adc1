"""L0 attacks on uint8 images by their settings, and the exhaustive one for a single pixel. None decides what a success
is: each gives back the best image by margin."""

import numpy as np
from torch import Tensor, nn

from roco.attacks.differential_evolution import differential_evolution
from roco.attacks.l0_gradient import greedy, sparse_gradient
from roco.attacks.norms import forward_batch
from roco.attacks.pixels import CORNERS, Generators, Problem
from roco.attacks.random_search import random_search
from roco.attacks.set_settings import DifferentialEvolution, Greedy, RandomSearch, SparseGradient

__all__ = [
    "L0Attack",
    "attack_l0",
    "differential_evolution",
    "exhaustive",
    "greedy",
    "random_search",
    "sparse_gradient",
]

L0Attack = DifferentialEvolution | RandomSearch | Greedy | SparseGradient


def attack_l0(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    n_pixels: int,
    settings: L0Attack,
    generators: Generators,
    start: Tensor | None = None,
) -> Tensor:
    """The attack that the settings name, with at most k changed pixels.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        settings: which attack, and how.
        generators: one for each image, so that its result does not depend on which others are attacked.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each, which the result is never worse than.

    Returns:
        uint8 `(n, 3, h, w)`: the image with the largest margin that was found, for each.
    """
    if isinstance(settings, DifferentialEvolution):
        return differential_evolution(
            network,
            images,
            labels=labels,
            n_pixels=n_pixels,
            settings=settings,
            generators=generators,
            start=start,
        )
    if settings.exhaustive and n_pixels == 1:
        return exhaustive(network, images, labels=labels)
    if isinstance(settings, Greedy):
        return greedy(network, images, labels=labels, n_pixels=n_pixels, settings=settings, start=start)
    if isinstance(settings, SparseGradient):
        return sparse_gradient(network, images, labels=labels, n_pixels=n_pixels, settings=settings, start=start)
    if settings.greedy_candidates:
        first = Greedy(candidates=settings.greedy_candidates, margin=settings.margin)
        start = greedy(network, images, labels=labels, n_pixels=n_pixels, settings=first, start=start)
    return random_search(
        network, images, labels=labels, n_pixels=n_pixels, settings=settings, generators=generators, start=start
    )


def exhaustive(network: nn.Module, images: Tensor, *, labels: Tensor) -> Tensor:
    """The best single pixel in a corner colour for each image: all of them are tried.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, on the network's device.
        labels: int64 `(n,)`.

    Returns:
        uint8 `(n, 3, h, w)`: the image with the largest margin, for each.
    """
    problem = Problem(network.eval(), images, labels, forward_batch(images.device))
    positions = np.repeat(np.arange(problem.positions), len(CORNERS))[:, None]
    colours = np.tile(CORNERS, (problem.positions, 1))[:, None]
    rows = np.arange(len(images))
    best = np.array(
        [problem.margins(np.full(len(positions), row), positions, colours=colours).argmax() for row in rows], dtype=int
    )
    return problem.changed(rows, positions[best], colours=colours[best])
