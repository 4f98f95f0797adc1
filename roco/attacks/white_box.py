"""White-box attacks on finished networks, through torchattacks; success and budget are judged here, never by them."""

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.norms import gradient_batch
from roco.attacks.torchattacks_adapter import run_torchattack
from roco.config import BIM, CW, FGSM, PGD, DeepFool, RobustnessConfig
from roco.data.dataset import Split
from roco.runtime import numpy_generator, seed_from
from roco.training import to_unit

log = logging.getLogger("roco")

WhiteBox = FGSM | BIM | PGD | DeepFool | CW

# What float32 may add to a budget when a step is added to a pixel and taken away again.
ROUNDING = 1e-6


def evaluate_robustness(
    network: nn.Module, split: Split, *, config: RobustnessConfig, device: torch.device
) -> dict[str, Any]:
    """Runs the configured attacks on a network, on images that are the same for every network.

    Args:
        network: float32 images in [0, 1] to logits.
        split: the images, of which `config.images` are drawn.
        config: the attacks by name.
        device: where to work.

    Returns:
        `images` (how many), `clean_accuracy`, and `attacks`: for each name what `attack_white_box` gives.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    network = network.to(device)
    order = numpy_generator(config.seed, "white-box images").permutation(len(split))
    chosen = np.sort(order[: config.images])
    images = torch.from_numpy(split.images[chosen]).to(device)
    labels = torch.from_numpy(split.labels[chosen]).to(device)
    right = predictions_of(network, to_unit(images), batch_size=gradient_batch(device)) == labels
    results = {}
    for name, attack in config.attacks.items():
        seed = seed_from(config.seed, "white-box", name)
        results[name] = attack_white_box(network, images, labels=labels, attack=attack, seed=seed)
        log.info("%s: %.1f %% of %d images still right", name, 100 * results[name]["accuracy"], len(images))
    return {"images": len(images), "clean_accuracy": float(right.double().mean()), "attacks": results}


def attack_white_box(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    attack: WhiteBox,
    seed: int,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Attacks the images that a network has right; the worst case over restarts counts for each image.

    An attack's output counts as a success if it is finite, keeps its budget (to 1e-6) and is misclassified once clipped
    to [0, 1]. An image that is misclassified from the start is not robust.

    Args:
        network: float32 images in [0, 1] to logits, on the images' device.
        images: uint8 `(n, 3, h, w)`, at least one.
        labels: int64 `(n,)`.
        attack: which attack, with its parameters; eps and alpha in 1/255.
        seed: of random starts.
        batch_size: how many images at once; what fits the device where not given.

    Returns:
        `method`, `settings`, `accuracy`, `correct`, `robust_images` (a character an image, 1 where still right),
        `median_l2` and `median_linf` (of successful perturbations, in [0, 1] units; None where there are none),
        `failures` (outputs that were not finite or broke the budget).

    Raises:
        AttackError: the attack cannot be run on this network.
    """
    batch_size = batch_size or gradient_batch(images.device)
    clean = to_unit(images)
    robust = predictions_of(network, clean, batch_size=batch_size) == labels
    distances: list[Tensor] = []
    failures = 0
    for restart in range(attack.restarts if isinstance(attack, PGD) else 1):
        # What has fallen is not attacked again.
        rows = robust.nonzero()[:, 0]
        if not len(rows):
            break
        found = run_torchattack(
            network,
            clean[rows],
            labels=labels[rows],
            method=attack.method,
            settings=_arguments(attack),
            seed=seed_from(seed, restart),
            batch_size=batch_size,
        )
        valid = _valid(clean[rows], found, attack=attack)
        failures += int((~valid).sum())
        clipped = torch.where(valid[:, None, None, None], found, clean[rows]).clamp(0, 1)
        fooled = valid & (predictions_of(network, clipped, batch_size=batch_size) != labels[rows])
        distances.append((clipped - clean[rows])[fooled].flatten(1))
        robust[rows[fooled]] = False
    return _result(attack, robust, distances=distances, failures=failures)


def _result(attack: WhiteBox, robust: Tensor, *, distances: list[Tensor], failures: int) -> dict[str, Any]:
    changes = torch.cat(distances) if distances else torch.zeros(0, 1)
    correct = int(robust.sum())
    return {
        "method": attack.method,
        "settings": attack.model_dump(exclude={"method"}),
        "accuracy": correct / len(robust),
        "correct": correct,
        "robust_images": "".join("1" if right else "0" for right in robust.tolist()),
        "median_l2": _median(changes.norm(dim=1)),
        "median_linf": _median(changes.abs().amax(dim=1)) if len(changes) else None,
        "failures": failures,
    }


def _median(values: Tensor) -> float | None:
    return float(np.median(values.double().cpu().numpy())) if len(values) else None


def _arguments(attack: WhiteBox) -> dict[str, float]:
    """The parameters by torchattacks' names, in [0, 1] units."""
    match attack:
        case FGSM():
            return {"eps": attack.eps / 255}
        case BIM():
            return {"eps": attack.eps / 255, "alpha": attack.alpha / 255, "steps": attack.steps}
        case PGD():
            budget = {"eps": attack.eps / 255, "alpha": attack.alpha / 255}
            return budget | {"steps": attack.steps, "random_start": True}
        case DeepFool():
            return {"steps": attack.steps, "overshoot": attack.overshoot}
        case CW():
            return {"c": attack.c, "kappa": attack.kappa, "steps": attack.steps, "lr": attack.learning_rate}


def _valid(clean: Tensor, found: Tensor, *, attack: WhiteBox) -> Tensor:
    """Which outputs are finite and within the attack's budget, bool `(n,)`."""
    valid = found.isfinite().flatten(1).all(dim=1)
    if isinstance(attack, FGSM | BIM | PGD):
        # Clipping to [0, 1] only brings a pixel nearer to its clean one.
        change = (found.clamp(0, 1) - clean).abs().flatten(1).amax(dim=1)
        valid &= change <= attack.eps / 255 + ROUNDING
    return valid


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
