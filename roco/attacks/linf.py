"""White-box Linf attacks on uint8 images for the adversarial sets: run to their end and rounded within the budget."""

import torch
from torch import Tensor, nn

from roco.attacks.norms import gradient_batch, margins_of
from roco.attacks.set_settings import MomentumIterative, ProjectedGradient
from roco.attacks.torchattacks_adapter import run_torchattack
from roco.runtime import seed_from
from roco.training.loop import to_unit


def attack_linf(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    threshold: int,
    settings: ProjectedGradient | MomentumIterative,
    seed: int,
    start: Tensor | None = None,
) -> Tensor:
    """PGD or MI-FGSM with a step of a quarter of the budget, not stopped at success: what is pushed far transfers.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, on the network's device.
        labels: int64 `(n,)`.
        threshold: the largest change of a value, in 1/255.
        settings: which attack, its steps, restarts or momentum.
        seed: of the random starts of PGD.
        start: uint8 `(n, 3, h, w)` within the budget, which the result is never worse than.

    Returns:
        uint8 `(n, 3, h, w)`: the image with the largest margin over restarts and `start`, for each.

    Raises:
        AttackError: the attack failed on this network.

    Source: Madry et al. 2018 (PGD); Dong et al. 2018 (MI-FGSM). Differs from the paper, whose source is black-box.
    """
    batch_size = gradient_batch(images.device)
    best = images if start is None else start
    best_margins = margins_of(network, best, labels=labels, batch_size=batch_size)
    for restart in range(settings.restarts if isinstance(settings, ProjectedGradient) else 1):
        found = run_torchattack(
            network,
            to_unit(images),
            labels=labels,
            method=settings.method,
            settings=_arguments(settings, threshold),
            seed=seed_from(seed, restart),
            batch_size=batch_size,
        )
        rounded = round_within(images, found, threshold=threshold)
        margins = margins_of(network, rounded, labels=labels, batch_size=batch_size)
        better = margins > best_margins
        best = torch.where(better[:, None, None, None], rounded, best)
        best_margins = torch.where(better, margins, best_margins)
    return best


def _arguments(settings: ProjectedGradient | MomentumIterative, threshold: int) -> dict[str, float]:
    eps = threshold / 255
    common = {"eps": eps, "alpha": eps / 4, "steps": settings.steps}
    return common | ({"random_start": True} if settings.method == "pgd" else {"decay": settings.decay})


def round_within(clean: Tensor, found: Tensor, *, threshold: int) -> Tensor:
    """Float images in [0, 1] on the uint8 grid, each value at most `threshold` from the clean one.

    Args:
        clean: uint8 `(n, 3, h, w)`.
        found: float32 of that shape; where it is not finite (a network without a gradient) the clean value stays.
        threshold: in 1/255.

    Differs from torchattacks, whose conversion truncates and so breaks the budget by one.
    """
    whole = clean.short()
    rounded = torch.where(found.isfinite(), (found * 255).round(), whole.float()).clamp(0, 255).short()
    return torch.clamp(rounded, whole - threshold, whole + threshold).to(torch.uint8)
