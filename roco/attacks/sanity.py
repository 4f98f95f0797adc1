"""Signs that attacks are fooled rather than the network robust, after Carlini et al. 2019, Section 5.

A raised flag says that an accuracy under attack cannot be trusted as it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roco.attacks.outcome import Array, Outcome, marks
from roco.attacks.white_box import ROUNDING
from roco.config import PGD, ChecksConfig, Noise, Square, WhiteBoxAttack
from roco.training import to_unit

# What chance may do: this share of the images, and one image in any case.
TOLERANCE = 0.02
# Random starts find some more images, and a large radius leaves some, in any network.
RESTARTS_TOLERANCE, LARGE_RADIUS_TOLERANCE = 0.05, 0.05
FEWER_STEPS = 4
NOISE_DRAWS = 5


def check_attacks(config: ChecksConfig) -> dict[str, WhiteBoxAttack]:
    """The attacks that the checks compare."""
    eps, steps, large = config.eps, config.steps, config.large_eps
    return {
        "few_steps": PGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps // FEWER_STEPS),
        "many_steps": PGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps),
        "restarts": PGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps, restarts=config.restarts - 1),
        "large_radius": PGD(method="pgd", eps=large, alpha=large / 4, steps=steps),
        "square": Square(method="square", eps=eps, queries=config.queries),
        "noise": Noise(method="noise", eps=eps, draws=NOISE_DRAWS),
    }


def probe_gradients(network: nn.Module, images: Tensor, *, labels: Tensor, batch_size: int) -> dict[str, str]:
    """Whether the cross-entropy has a gradient at each image, and everything is finite.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`.
        labels: int64 `(n,)`.
        batch_size: how many images at once.

    Returns:
        `zero` and `broken`, a character an image: 1 where the whole gradient is 0; where it or a logit is not finite.
    """
    training = network.training
    network.eval()
    zero, broken = [], []
    for batch, batch_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        start = to_unit(batch).requires_grad_()
        logits = network(start)
        (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, batch_labels, reduction="sum"), start)
        zero.append((gradient == 0).flatten(1).all(dim=1))
        finite = gradient.isfinite().flatten(1).all(dim=1) & logits.isfinite().all(dim=1)
        broken.append(~finite)
    network.train(training)
    return {"zero": marks(torch.cat(zero).cpu().numpy()), "broken": marks(torch.cat(broken).cpu().numpy())}


@dataclass(frozen=True)
class Evidence:
    """What the flags are judged on; arrays `(n,)` of distances in [0, 1] units, infinite where nothing was found.

    Attributes:
        checks: what each of `check_attacks` found.
        white_box: the smallest Linf perturbation that an attack with gradients found, the checks' included.
        transferred: the size of the smallest one, made for another network, that fools this one; infinite where none of
            them does, NaN where there is none.
        zero_gradients: how many images have no gradient.
        broken: how many images have logits or a gradient that are not finite.
        failures: how many outputs of all attacks were not finite or broke their budget.
    """

    checks: Mapping[str, Outcome]
    white_box: Array
    transferred: Array
    zero_gradients: int
    broken: int
    failures: int


def flags_of(evidence: Evidence, config: ChecksConfig) -> list[dict[str, Any]]:
    """All flags, raised or not: `name`, `raised`, `detail`."""
    found = {
        "more_steps": _more_steps(evidence, config),
        "large_radius": _large_radius(evidence, config),
        "gradient_free": _gradient_free(evidence, config),
        "transfer": _transfer(evidence, config),
        "noise": _noise(evidence, config),
        "restarts": _restarts(evidence, config),
        "zero_gradients": _zero_gradients(evidence),
        "not_finite": _not_finite(evidence),
    }
    return [{"name": name, "raised": bool(raised), "detail": detail} for name, (raised, detail) in found.items()]


def _allowed(images: int, share: float = TOLERANCE) -> int:
    return max(1, int(share * images))


def _more_steps(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    few, many = (int(evidence.checks[name].robust.sum()) for name in ("few_steps", "many_steps"))
    images = len(evidence.white_box)
    detail = (
        f"PGD at {config.eps:g}/255 leaves {few} of {images} images right after {config.steps // FEWER_STEPS} steps"
    )
    return many > few + _allowed(images), f"{detail} and {many} after {config.steps}"


def _large_radius(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    left, images = int(evidence.checks["large_radius"].robust.sum()), len(evidence.white_box)
    detail = f"PGD at {config.large_eps:g}/255 leaves {left} of {images} images right, where none should hold"
    return left > _allowed(images, LARGE_RADIUS_TOLERANCE), detail


def _gradient_free(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    within = config.eps / 255 + ROUNDING
    alone = int((~evidence.checks["square"].robust & (evidence.white_box > within)).sum())
    detail = f"Square fools {alone} of {len(evidence.white_box)} images that no attack with gradients fools within "
    return alone > _allowed(len(evidence.white_box)), detail + f"{config.eps:g}/255"


def _transfer(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    within = config.eps / 255 + ROUNDING
    tried = int((~np.isnan(evidence.transferred)).sum())
    # Nothing compares with NaN.
    alone = int(((evidence.transferred <= within) & (evidence.white_box > within)).sum())
    detail = f"of {tried} attacked images that are in the adversarial set, {alone} fall to an image of it within "
    return alone > _allowed(tried), detail + f"{config.eps:g}/255 and to no white-box attack"


def _noise(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    noise, pgd = (int(np.sum(_fooled(evidence.checks[name]))) for name in ("noise", "many_steps"))
    detail = f"noise of {config.eps:g}/255 turns {noise} of {len(evidence.white_box)} images, PGD {pgd}"
    return noise > 0 and noise >= pgd, detail


def _restarts(evidence: Evidence, config: ChecksConfig) -> tuple[bool, str]:
    once, more = evidence.checks["many_steps"].robust, evidence.checks["restarts"].robust
    gained, images = int((once & ~more).sum()), len(evidence.white_box)
    detail = f"{config.restarts - 1} more restarts of PGD fool {gained} more of {images} images"
    return gained > _allowed(images, RESTARTS_TOLERANCE), detail


def _zero_gradients(evidence: Evidence) -> tuple[bool, str]:
    images = len(evidence.white_box)
    detail = f"the cross-entropy has no gradient at {evidence.zero_gradients} of {images} images"
    return evidence.zero_gradients > _allowed(images), detail


def _not_finite(evidence: Evidence) -> tuple[bool, str]:
    detail = f"{evidence.broken} images without finite logits or gradient; {evidence.failures} outputs of attacks that"
    return evidence.broken + evidence.failures > 0, f"{detail} are not finite or break their budget"


def _fooled(outcome: Outcome) -> Any:
    """Which images an attack turned: those that were wrong from the start it did not."""
    return np.isfinite(outcome.linf) & (outcome.linf > 0)
