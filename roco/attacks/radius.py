"""How far away the nearest wrong image is: radii searched by bisection, accuracy against radius, smallest distances."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.outcome import Array, Outcome, marks, median, plain
from roco.attacks.white_box import ROUNDING, attack_white_box
from roco.attacks.white_box_settings import APGDCE, APGDT, CurveConfig
from roco.runtime import seed_from


def search_radii(
    network: nn.Module, images: Tensor, *, labels: Tensor, config: CurveConfig, seed: int, batch_size: int | None = None
) -> Outcome:
    """The smallest radius of the grid at which each image falls, by bisection; only images in question are attacked.

    What is found is drawn towards the clean image, so that an image may skip radii. An image that holds at a radius
    is taken to hold at the smaller ones.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`, at least one.
        labels: int64 `(n,)`.
        config: the radii and the attacks.
        seed: of random starts.
        batch_size: how many images at once; what fits the device where not given.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    radii = np.array(config.radii) / 255
    found = Outcome(np.full(len(images), np.inf), np.full(len(images), np.inf))
    # The largest radius that an image held at, and the smallest that it is known to fall at: positions in the grid.
    held, fallen, failures = np.full(len(images), -1), np.full(len(images), len(radii)), 0
    while (open_rows := np.flatnonzero(fallen - held > 1)).size:
        middle = (held + fallen) // 2
        for place in np.unique(middle[open_rows]).tolist():
            rows = open_rows[middle[open_rows] == place]
            chosen = torch.from_numpy(rows).to(images.device)
            outcome = _attacked_at(
                *(network, images[chosen], labels[chosen]),
                config=config,
                radius=config.radii[place],
                seed=seed_from(seed, place),
                batch_size=batch_size,
            )
            failures += outcome.failures
            found.l2[rows] = np.minimum(found.l2[rows], outcome.l2)
            found.linf[rows] = np.minimum(found.linf[rows], outcome.linf)
            held[rows] = np.where(outcome.robust, place, held[rows])
            fallen[rows] = np.minimum(fallen[rows], np.searchsorted(radii + ROUNDING, found.linf[rows]))
    return Outcome(found.l2, found.linf, failures)


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
    """APGD-CE at a radius in 1/255, and APGD-T on what it left right."""
    attacks: list[APGDCE | APGDT] = [APGDCE(method="apgd_ce", eps=radius, steps=config.steps)]
    if config.targets:
        attacks.append(APGDT(method="apgd_t", eps=radius, steps=config.steps, targets=config.targets))
    whole = Outcome(np.full(len(images), np.inf), np.full(len(images), np.inf))
    failures = 0
    for attack in attacks:
        rows = np.flatnonzero(whole.robust)
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
        whole.l2[rows], whole.linf[rows] = outcome.l2, outcome.linf
        failures += outcome.failures
    return Outcome(whole.l2, whole.linf, failures)


def curve_of(linf: Array, config: CurveConfig) -> dict[str, Any]:
    """Accuracy against radius: at each one the share of images that no attack fools within it.

    Args:
        linf: for each image the smallest perturbation that any attack found, in [0, 1] units.
        config: the radii.

    Returns:
        `norm`, `radii` (1/255), `images`, `accuracy` and `robust_images` (a character an image) for each radius.
    """
    robust = [linf > radius / 255 + ROUNDING for radius in config.radii]
    return {
        "norm": "linf",
        "radii": list(config.radii),
        "images": len(linf),
        "accuracy": [float(held.mean()) for held in robust],
        "robust_images": [marks(held) for held in robust],
    }


def smallest_of(distances: Array) -> dict[str, Any]:
    """The smallest perturbations, 0 for images that were wrong from the start, and the median over the others.

    Args:
        distances: for each image the smallest perturbation that any attack found, in [0, 1] units; infinite for none.
    """
    return {"median": median(distances[distances > 0]), "per_image": plain(distances)}
