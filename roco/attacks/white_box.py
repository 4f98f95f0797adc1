"""One white-box attack on one network: its runs, and the judgement of what they gave back, which is never their own."""

import logging
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from roco.attacks.norms import DECIDED, changed_pixels, gradient_batch, margins
from roco.attacks.outcome import Outcome, marks, median
from roco.attacks.stages import autoattack_parts, run_stage, stages_of
from roco.attacks.white_box_settings import L0, AutoAttack, WhiteBoxAttack
from roco.runtime import seed_from
from roco.training.loop import to_unit

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

    An output counts as found if it is finite, keeps the budget (to 1e-6) and, once clipped to [0, 1], is misclassified
    by the margin that adversarial sets demand (`DECIDED`): what lies on a boundary is decided by rounding.

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
    failures, found_by = 0, [""] * len(images)
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
        fooled = valid & _fooled(network, clipped, labels=labels[rows], batch_size=batch_size)
        rows, clipped = rows[fooled], clipped[fooled]
        for row in rows.tolist():
            found_by[row] = stage.method
        if shrink and len(rows):
            clipped = _shrunk(network, clean[rows], clipped, labels=labels[rows], batch_size=batch_size)
        changes = (clipped - clean[rows]).flatten(1).double()
        l2[rows], linf[rows] = changes.norm(dim=1), changes.abs().amax(dim=1)
    return Outcome(l2.cpu().numpy(), linf.cpu().numpy(), failures, tuple(found_by))


def summary(attack: WhiteBoxAttack, outcome: Outcome) -> dict[str, Any]:
    """What is reported of an attack.

    Returns:
        `method`, `settings`, `accuracy`, `correct`, `robust_images` (a character an image, 1 where still right),
        `median_l2` and `median_linf` (over the images that were right before, in [0, 1] units; one that is still right
        is infinitely far; None where there are none, or half of them hold), `failures` (outputs that were not finite or
        broke the budget); of AutoAttack `found_by`: how many images each of its attacks turned. An image that is
        misclassified from the start is not robust, and has no perturbation.
    """
    correct = int(outcome.robust.sum())
    # Nothing is as near as 0 but what was wrong from the start.
    before = outcome.linf > 0
    parts = Counter(finder for finder in outcome.found_by if finder)
    stages = {}
    if isinstance(attack, AutoAttack):
        stages = {part.method: parts[part.method] for part in autoattack_parts(attack)}
    return {
        "method": attack.method,
        "settings": attack.model_dump(exclude={"method"}),
        "accuracy": correct / len(outcome.robust),
        "correct": correct,
        "robust_images": marks(outcome.robust),
        "median_l2": median(outcome.l2[before]),
        "median_linf": median(outcome.linf[before]),
        "failures": outcome.failures,
        **({"found_by": stages} if stages else {}),
    }


def _shrunk(network: nn.Module, clean: Tensor, found: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """The nearest clearly misclassified images on the lines from clean images to misclassified ones, by bisection."""
    nearest, too_near, enough = found, torch.zeros(len(found)), torch.ones(len(found))
    for _ in range(HALVINGS):
        middle = (too_near + enough) / 2
        candidate = torch.lerp(clean, found, middle.to(clean.device)[:, None, None, None])
        fooled = _fooled(network, candidate, labels=labels, batch_size=batch_size)
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


def _fooled(network: nn.Module, images: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """Which float32 images in [0, 1] are misclassified by a clear margin, or get no finite logits; bool `(n,)`."""
    parts = []
    for logits, rows in zip(_logits(network, images, batch_size=batch_size), labels.split(batch_size), strict=True):
        parts.append((margins(logits, rows) >= DECIDED) | ~logits.isfinite().all(dim=1))
    return torch.cat(parts)


def predictions_of(network: nn.Module, images: Tensor, *, batch_size: int) -> Tensor:
    """Predicted classes int64 `(n,)` of float32 images in [0, 1]; -1, which is no class, without finite logits."""
    parts = _logits(network, images, batch_size=batch_size)
    return torch.cat([torch.where(logits.isfinite().all(dim=1), logits.argmax(dim=1), -1) for logits in parts])


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor, *, batch_size: int) -> list[Tensor]:
    """Logits of float32 images in [0, 1] in evaluation mode, batch by batch."""
    training = network.training
    network.eval()
    parts = [network(batch) for batch in images.split(batch_size)]
    network.train(training)
    return parts
