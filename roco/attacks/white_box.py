"""One white-box attack on one network: its runs, and the judgement of what they gave back, which is never their own."""

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.norms import changed_pixels, gradient_batch
from roco.attacks.outcome import Outcome, marks, median
from roco.attacks.stages import run_stage, stages_of
from roco.config import L0, WhiteBoxAttack
from roco.runtime import seed_from
from roco.training import to_unit

log = logging.getLogger("roco")

# What float32 may add to a budget when a step is added to a pixel and taken away again.
ROUNDING = 1e-6
# A perturbation's length is found to a thousandth.
HALVINGS = 10


def attack_white_box(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    attack: WhiteBoxAttack,
    seed: int,
    batch_size: int | None = None,
    shrink: bool = False,
) -> Outcome:
    """Attacks the images that a network has right; the worst case over the attack's runs counts for each image.

    An output counts as found if it is finite, keeps the budget (to 1e-6) and is misclassified once clipped to [0, 1].

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`, at least one.
        labels: int64 `(n,)`.
        attack: which attack, with its parameters; eps and alpha in 1/255.
        seed: of random starts.
        batch_size: how many images at once; what fits the device where not given.
        shrink: whether what was found is drawn towards the clean image for as long as it stays misclassified.

    Raises:
        AttackError: the attack cannot be run on this network.
    """
    batch_size = batch_size or gradient_batch(images.device)
    clean = to_unit(images)
    right = predictions_of(network, clean, batch_size=batch_size) == labels
    l2, linf = (torch.where(right, torch.inf, 0.0).double() for _ in range(2))
    failures = 0
    for number, stage in enumerate(stages_of(attack, classes=_classes(network, clean))):
        # What has fallen is not attacked again.
        rows = linf.isinf().nonzero()[:, 0]
        if not len(rows):
            break
        found = run_stage(
            stage,
            network,
            images[rows],
            labels=labels[rows],
            rows=rows.tolist(),
            seed=seed_from(seed, number),
            batch_size=batch_size,
        )
        valid = _valid(clean[rows], found, attack=attack)
        failures += int((~valid).sum())
        clipped = torch.where(valid[:, None, None, None], found, clean[rows]).clamp(0, 1)
        fooled = valid & (predictions_of(network, clipped, batch_size=batch_size) != labels[rows])
        rows, clipped = rows[fooled], clipped[fooled]
        if shrink and len(rows):
            clipped = _shrunk(network, clean[rows], clipped, labels=labels[rows], batch_size=batch_size)
        changes = (clipped - clean[rows]).flatten(1).double()
        l2[rows], linf[rows] = changes.norm(dim=1), changes.abs().amax(dim=1)
    return Outcome(l2.cpu().numpy(), linf.cpu().numpy(), failures)


def summary(attack: WhiteBoxAttack, outcome: Outcome) -> dict[str, Any]:
    """What is reported of an attack.

    Returns:
        `method`, `settings`, `accuracy`, `correct`, `robust_images` (a character an image, 1 where still right),
        `median_l2` and `median_linf` (of successful perturbations, in [0, 1] units; None where there are none),
        `failures` (outputs that were not finite or broke the budget). An image that is misclassified from the start is
        not robust, and has no perturbation.
    """
    correct = int(outcome.robust.sum())
    # Nothing is as near as 0 but what was wrong from the start.
    found = np.isfinite(outcome.linf) & (outcome.linf > 0)
    return {
        "method": attack.method,
        "settings": attack.model_dump(exclude={"method"}),
        "accuracy": correct / len(outcome.robust),
        "correct": correct,
        "robust_images": marks(outcome.robust),
        "median_l2": median(outcome.l2[found]),
        "median_linf": median(outcome.linf[found]),
        "failures": outcome.failures,
    }


def _shrunk(network: nn.Module, clean: Tensor, found: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """The nearest misclassified images on the lines from clean images to misclassified ones, by bisection."""
    nearest, too_near, enough = found, torch.zeros(len(found)), torch.ones(len(found))
    for _ in range(HALVINGS):
        middle = (too_near + enough) / 2
        candidate = torch.lerp(clean, found, middle.to(clean.device)[:, None, None, None])
        fooled = predictions_of(network, candidate, batch_size=batch_size) != labels
        nearest = torch.where(fooled[:, None, None, None], candidate, nearest)
        fooled = fooled.cpu()
        too_near, enough = torch.where(fooled, too_near, middle), torch.where(fooled, middle, enough)
    return nearest


def _valid(clean: Tensor, found: Tensor, *, attack: WhiteBoxAttack) -> Tensor:
    """Which outputs are finite and within the attack's budget, bool `(n,)`."""
    valid = found.isfinite().flatten(1).all(dim=1)
    # Clipping to [0, 1] only brings a pixel nearer to its clean one.
    clipped = found.clamp(0, 1)
    if isinstance(attack, L0):
        valid &= changed_pixels(clean, clipped) <= attack.pixels
    elif hasattr(attack, "eps"):
        valid &= (clipped - clean).abs().flatten(1).amax(dim=1) <= attack.eps / 255 + ROUNDING
    return valid


@torch.no_grad()
def _classes(network: nn.Module, images: Tensor) -> int:
    training = network.training
    classes = int(network.eval()(images[:1]).shape[1])
    network.train(training)
    return classes


@torch.no_grad()
def predictions_of(network: nn.Module, images: Tensor, *, batch_size: int) -> Tensor:
    """Predicted classes int64 `(n,)` of float32 images in [0, 1]; -1, which is no class, without finite logits."""
    training = network.training
    network.eval()
    parts = []
    for batch in images.split(batch_size):
        logits = network(batch)
        parts.append(torch.where(logits.isfinite().all(dim=1), logits.argmax(dim=1), -1))
    network.train(training)
    return torch.cat(parts)
