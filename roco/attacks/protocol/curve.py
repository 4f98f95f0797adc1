"""How far away the nearest misclassified image is: radii by bisection, accuracy against radius, smallest distances."""

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.outcome import Array, Outcome, marks, median, plain
from roco.attacks.records import AccuracyCurve, SmallestPerturbations
from roco.attacks.settings import CurveConfig
from roco.attacks.white_box.attack import ROUNDING
from roco.attacks.white_box.judge import attack_white_box
from roco.runtime import seed_from


def search_radii(
    network: nn.Module, images: Tensor, *, labels: Tensor, config: CurveConfig, seed: int, batch_size: int | None = None
) -> Outcome:
    """The smallest radius of the grid at which each image falls, by bisection; only undecided images are attacked.

    Misclassified images are drawn towards the clean images, so that an image may skip radii. An image that holds at a
    radius counts as holding at all smaller radii.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`, at least one.
        labels: int64 `(n,)`.
        config: the radii and the attacks.
        seed: of random starts.
        batch_size: how many images at once; if not given, as many as fit the device.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    radii = np.array(config.radii) / 255
    nearest = Outcome(np.full(len(images), np.inf), np.full(len(images), np.inf))
    # Indices of radii: the largest that an image held at, and the smallest that it is known to fall at.
    held, fallen, failures = np.full(len(images), -1), np.full(len(images), len(radii)), 0
    while (undecided := np.flatnonzero(fallen - held > 1)).size:
        middle = (held + fallen) // 2
        for index in np.unique(middle[undecided]).tolist():
            rows = undecided[middle[undecided] == index]
            chosen = torch.from_numpy(rows).to(images.device)
            outcome = _attacked_at(
                *(network, images[chosen], labels[chosen]),
                config=config,
                radius=config.radii[index],
                seed=seed_from(seed, index),
                batch_size=batch_size,
            )
            failures += outcome.failures
            nearest.l2[rows] = np.minimum(nearest.l2[rows], outcome.l2)
            nearest.linf[rows] = np.minimum(nearest.linf[rows], outcome.linf)
            held[rows] = np.where(outcome.robust, index, held[rows])
            fallen[rows] = np.minimum(fallen[rows], np.searchsorted(radii + ROUNDING, nearest.linf[rows]))
    return Outcome(nearest.l2, nearest.linf, failures)


def _attacked_at(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    config: CurveConfig,
    radius: float,
    seed: int,
    batch_size: int | None,
) -> Outcome:
    """The curve's attacks at a radius in 1/255, each on the images that those before left right."""
    nearest = Outcome(np.full(len(images), np.inf), np.full(len(images), np.inf))
    failures = 0
    for attack in config.attacks(radius):
        rows = np.flatnonzero(nearest.robust)
        if not rows.size:
            break
        chosen = torch.from_numpy(rows).to(images.device)
        outcome = attack_white_box(
            *(network, images[chosen]),
            labels=labels[chosen],
            attack=attack,
            seed=seed_from(seed, attack.method),
            batch_size=batch_size,
            shrink=True,
        )
        nearest.l2[rows], nearest.linf[rows] = outcome.l2, outcome.linf
        failures += outcome.failures
    return Outcome(nearest.l2, nearest.linf, failures)


def curve_of(linf: Array, config: CurveConfig) -> AccuracyCurve:
    """Accuracy against radius: at each radius the share of images that no attack fools within it.

    Args:
        linf: for each image the smallest perturbation by any attack, in [0, 1] units.
        config: the radii.
    """
    robust = [linf > radius / 255 + ROUNDING for radius in config.radii]
    return AccuracyCurve(
        norm="linf",
        radii=tuple(config.radii),
        images=len(linf),
        accuracy=tuple(float(held.mean()) for held in robust),
        robust_images=tuple(marks(held) for held in robust),
    )


def smallest_of(distances: Array) -> SmallestPerturbations:
    """The smallest perturbations, 0 for images that were wrong from the start, and the median over the others.

    Args:
        distances: for each image the smallest perturbation by any attack, in [0, 1] units; infinite for none.
    """
    return SmallestPerturbations(median=median(distances[distances > 0]), per_image=plain(distances))
