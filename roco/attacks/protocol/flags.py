"""Signs that attacks fail for reasons of their own and the network is not robust (Carlini et al. 2019, Section 5).

A raised flag says that an accuracy under attack cannot be trusted as it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from roco.attacks.outcome import Array, Outcome, marks
from roco.attacks.records import Flag
from roco.attacks.settings import FEWER_STEPS, ChecksConfig
from roco.attacks.white_box.attack import ROUNDING
from roco.storage.records import Frozen
from roco.training.batches import to_unit

# A flag allows this share of the images to chance, at least one image.
TOLERANCE = 0.02
# With any network, restarts fool some more images, and a large radius leaves some images right.
RESTARTS_TOLERANCE, LARGE_RADIUS_TOLERANCE = 0.05, 0.05
# With any network, AutoAttack fools somewhat more images than PGD.
AUTOATTACK_TOLERANCE = 0.1
# A small batch of another size than any attack's, so that few images have the same neighbours in it.
OTHER_BATCH = 5


class GradientMarks(Frozen):
    """Signs of masked gradients: one character per image, 1 where the sign shows.

    Attributes:
        zero: the whole gradient is 0.
        broken: the gradient or a logit is not finite.
        unsteady: the class differs in smaller batches.
    """

    zero: str
    broken: str
    unsteady: str


def probe_gradients(network: nn.Module, images: Tensor, *, labels: Tensor, batch_size: int) -> GradientMarks:
    """Whether the cross-entropy has a gradient at each image, and whether everything is finite.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`.
        labels: int64 `(n,)`.
        batch_size: how many images at once.
    """
    training = network.training
    network.eval()
    zero, broken, classes = [], [], []
    for batch, batch_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        start = to_unit(batch).requires_grad_()
        logits = network(start)
        (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, batch_labels, reduction="sum"), start)
        zero.append((gradient == 0).flatten(1).all(dim=1))
        finite = gradient.isfinite().flatten(1).all(dim=1) & logits.isfinite().all(dim=1)
        broken.append(~finite)
        classes.append(logits.detach().argmax(dim=1))
    with torch.no_grad():
        again = [network(to_unit(batch)).argmax(dim=1) for batch in images.split(OTHER_BATCH)]
    network.train(training)
    signs = {"zero": torch.cat(zero), "broken": torch.cat(broken), "unsteady": torch.cat(classes) != torch.cat(again)}
    return GradientMarks(**{name: marks(images.cpu().numpy()) for name, images in signs.items()})


@dataclass(frozen=True)
class Gap:
    """How many images PGD and AutoAttack leave right within a budget in 1/255."""

    eps: float
    pgd: int
    autoattack: int


@dataclass(frozen=True)
class Evidence:
    """What decides the flags. Arrays are Linf distances `(n,)` in [0, 1] units, infinite without a success.

    Attributes:
        checks: the outcomes of the attacks of `ChecksConfig.attacks`.
        white_box: the smallest perturbation by a stage that uses gradients, of any attack of the study or the checks.
        square: the smallest perturbation by Square: as a check, an attack of the study or a stage of AutoAttack.
        without_budget: the outcomes of the study's attacks that have no budget, by name.
        gaps: AutoAttack and PGD beside each other, for each budget that both have.
        repeated: of some images, how many have another verdict when an attack without a budget runs in smaller batches.
        transferred: the smallest perturbation that was made for another network and fools this network; infinite if
            none does, NaN if none was made.
        zero_gradients: how many images have no gradient.
        broken: how many images have logits or a gradient that are not finite.
        unsteady: how many images have another class in smaller batches.
        failures: how many outputs of all attacks were not finite or broke their budget.
    """

    checks: Mapping[str, Outcome]
    white_box: Array
    square: Array
    transferred: Array
    zero_gradients: int
    broken: int
    unsteady: int
    failures: int
    without_budget: Mapping[str, Outcome]
    gaps: Sequence[Gap]
    repeated: Mapping[str, int]


def flags_of(evidence: Evidence, config: ChecksConfig) -> tuple[Flag, ...]:
    """All flags, raised or not."""
    flags = {
        "more_steps": _more_steps(evidence, config),
        "large_radius": _large_radius(evidence, config),
        "gradient_free": _gradient_free(evidence, config),
        "transfer": _transfer(evidence, config),
        "noise": _noise(evidence, config),
        "restarts": _restarts(evidence, config),
        "autoattack": _autoattack(evidence),
        "without_budget": _without_budget(evidence),
        "batches": _batches(evidence),
        "zero_gradients": _zero_gradients(evidence),
        "not_finite": _not_finite(evidence),
    }
    return tuple(Flag(name=name, raised=bool(raised), detail=detail) for name, (raised, detail) in flags.items())


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
    alone = int(((evidence.square <= within) & (evidence.white_box > within)).sum())
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


def _autoattack(evidence: Evidence) -> tuple[bool, str]:
    if not evidence.gaps:
        return False, "no AutoAttack with a budget that PGD has as well"
    worst = max(evidence.gaps, key=lambda gap: gap.pgd - gap.autoattack)
    images = len(evidence.white_box)
    detail = f"at {worst.eps:g}/255 PGD leaves {worst.pgd} of {images} images right, AutoAttack {worst.autoattack}"
    return worst.pgd - worst.autoattack > _allowed(images, AUTOATTACK_TOLERANCE), detail


def _without_budget(evidence: Evidence) -> tuple[bool, str]:
    left = {name: int(outcome.robust.sum()) for name, outcome in evidence.without_budget.items()}
    if not left:
        return False, "no attack without a budget"
    images = len(evidence.white_box)
    parts = ", ".join(f"{name} {count}" for name, count in left.items())
    return max(left.values()) > _allowed(images), f"of {images} images, attacks without a budget leave right: {parts}"


def _batches(evidence: Evidence) -> tuple[bool, str]:
    images = len(evidence.white_box)
    detail = f"in smaller batches {evidence.unsteady} of {images} images have another class"
    others = ", ".join(f"{name} {count}" for name, count in evidence.repeated.items())
    detail += f"; images on which attacks without a budget end otherwise: {others}" if others else ""
    return evidence.unsteady > _allowed(images) or max(evidence.repeated.values(), default=0) > 1, detail


def _zero_gradients(evidence: Evidence) -> tuple[bool, str]:
    images = len(evidence.white_box)
    detail = f"the cross-entropy has no gradient at {evidence.zero_gradients} of {images} images"
    return evidence.zero_gradients > _allowed(images), detail


def _not_finite(evidence: Evidence) -> tuple[bool, str]:
    detail = f"{evidence.broken} images without finite logits or gradient; {evidence.failures} outputs of attacks that"
    return evidence.broken + evidence.failures > 0, f"{detail} are not finite or break their budget"


def _fooled(outcome: Outcome) -> Any:
    """Which images an attack turned; images that were wrong from the start do not count."""
    return np.isfinite(outcome.linf) & (outcome.linf > 0)
