"""Runs a white-box attack on a network and judges what it returns: an attack never judges itself."""

from collections import Counter

import torch
from torch import Tensor, nn

from roco.attacks.norms import DECIDED, forward_batch, gradient_batch, margins
from roco.attacks.outcome import Outcome, marks, median
from roco.attacks.records import AttackSummary
from roco.attacks.white_box.attack import Attack, Inputs
from roco.runtime import seed_from
from roco.training.batches import to_unit

# A perturbation's length is bisected to a thousandth.
HALVINGS = 10


def attack_white_box(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    attack: Attack,
    seed: int,
    batch_size: int | None = None,
    shrink: bool = False,
) -> Outcome:
    """Attacks the images that a network classifies correctly, stage by stage; the first success of an image counts.

    A perturbed image is a success if it is finite, keeps the budget (to 1e-6) and, clipped to [0, 1], is misclassified
    by the margin that adversarial sets demand (`DECIDED`): closer to the boundary rounding would decide.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`, at least one.
        labels: int64 `(n,)`.
        attack: which attack, with its parameters; eps and alpha in 1/255.
        seed: of random starts.
        batch_size: how many images at once; if not given, as many as fit the device.
        shrink: whether successes are drawn towards the clean image as far as they stay misclassified.

    Raises:
        AttackError: the attack cannot be run on this network.
    """
    batch_size = batch_size or (gradient_batch if attack.uses_gradients else forward_batch)(images.device)
    clean = to_unit(images)
    right = predictions_of(network, clean, batch_size=batch_size) == labels
    l2, linf = (torch.where(right, torch.inf, 0.0).double() for _ in range(2))
    failures, found_by = 0, [""] * len(images)
    for number, stage in enumerate(attack.stages()):
        # Images that have fallen are not attacked again.
        rows = linf.isinf().nonzero()[:, 0]
        if not len(rows):
            break
        stage_seed = seed_from(seed, number)
        inputs = Inputs(network, images[rows], labels[rows], rows.tolist(), stage_seed, batch_size)
        perturbed = stage.perturb_all(inputs)
        valid = _valid(clean[rows], perturbed, attack=attack)
        failures += int((~valid).sum())
        clipped = torch.where(valid[:, None, None, None], perturbed, clean[rows]).clamp(0, 1)
        fooled = valid & _fooled(network, clipped, labels=labels[rows], batch_size=batch_size)
        rows, clipped = rows[fooled], clipped[fooled]
        for row in rows.tolist():
            found_by[row] = stage.method
        if shrink and len(rows):
            clipped = _shrunk(network, clean[rows], clipped, labels=labels[rows], batch_size=batch_size)
        changes = (clipped - clean[rows]).flatten(1).double()
        l2[rows], linf[rows] = changes.norm(dim=1), changes.abs().amax(dim=1)
    return Outcome(l2.cpu().numpy(), linf.cpu().numpy(), failures, tuple(found_by))


def summary(attack: Attack, outcome: Outcome) -> AttackSummary:
    """The record of an attack; an image that is misclassified from the start is not robust."""
    correct = int(outcome.robust.sum())
    # Only images that were wrong from the start have distance 0.
    before = outcome.linf > 0
    methods = dict.fromkeys(stage.method for stage in attack.stages())
    counts = Counter(outcome.found_by)
    return AttackSummary(
        method=attack.method,
        settings=attack.model_dump(exclude={"method"}),
        accuracy=correct / len(outcome.robust),
        correct=correct,
        robust_images=marks(outcome.robust),
        median_l2=median(outcome.l2[before]),
        median_linf=median(outcome.linf[before]),
        failures=outcome.failures,
        found_by={method: counts[method] for method in methods} if len(methods) > 1 else {},
    )


def _shrunk(network: nn.Module, clean: Tensor, perturbed: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """The nearest clearly misclassified images on the lines from clean to perturbed images, by bisection."""
    nearest, too_near = perturbed, torch.zeros(len(perturbed), device=perturbed.device)
    enough = torch.ones_like(too_near)
    for _ in range(HALVINGS):
        middle = (too_near + enough) / 2
        candidate = torch.lerp(clean, perturbed, middle[:, None, None, None])
        fooled = _fooled(network, candidate, labels=labels, batch_size=batch_size)
        nearest = torch.where(fooled[:, None, None, None], candidate, nearest)
        too_near, enough = torch.where(fooled, too_near, middle), torch.where(fooled, middle, enough)
    return nearest


def _valid(clean: Tensor, perturbed: Tensor, *, attack: Attack) -> Tensor:
    """Which outputs are finite and within the attack's budget, bool `(n,)`."""
    finite = perturbed.isfinite().flatten(1).all(dim=1)
    # Clipping to [0, 1] only brings a pixel nearer to its clean value.
    return finite & attack.within_budget(clean, perturbed.clamp(0, 1))


def _fooled(network: nn.Module, images: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """Which float32 images in [0, 1] are misclassified by a clear margin, or get no finite logits; bool `(n,)`."""
    parts = []
    for logits, rows in zip(_logits(network, images, batch_size=batch_size), labels.split(batch_size), strict=True):
        parts.append((margins(logits, rows) >= DECIDED) | ~logits.isfinite().all(dim=1))
    return torch.cat(parts)


def predictions_of(network: nn.Module, images: Tensor, *, batch_size: int) -> Tensor:
    """Predicted classes int64 `(n,)` of float32 images in [0, 1]; -1 where logits are not finite."""
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
