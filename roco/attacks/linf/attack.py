"""What the Linf attacks of the adversarial sets share: white-box, run to their end, and rounded within the budget."""

from roco.attacks.batches import Batch, run_in_batches
from roco.attacks.norms import gradient_batch, margins_of
from roco.attacks.types import Network, Tensor
from roco.runtime import seed_from
from roco.settings import Count, Section


class LinfAttack(Section):
    """A Linf attack of the adversarial sets: its settings, and how it changes a batch of images."""

    method: str
    steps: Count

    @property
    def starts(self) -> int:
        """How often it is run on each image."""
        return 1

    def perturb(self, batch: Batch, *, eps: float, alpha: float) -> Tensor:
        """Perturbed images float32 `(n, 3, h, w)`; the caller rounds and judges them.

        Args:
            batch: what is attacked.
            eps: the budget in [0, 1].
            alpha: the step in [0, 1].
        """
        raise NotImplementedError


def attack_linf(
    network: Network,
    images: Tensor,
    *,
    labels: Tensor,
    threshold: int,
    settings: LinfAttack,
    seed: int,
    start: Tensor | None = None,
) -> Tensor:
    """An attack with a step of a quarter of the budget, not stopped at success: what is pushed far transfers.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, on the network's device.
        labels: int64 `(n,)`.
        threshold: the largest change of a value, in 1/255.
        settings: the attack.
        seed: of random starts.
        start: uint8 `(n, 3, h, w)` within the budget; the result is never worse than these.

    Returns:
        uint8 `(n, 3, h, w)`: for each image the one with the largest margin, over all starts and `start`.

    Raises:
        AttackError: the attack failed on this network.

    Source: Madry et al. 2018 (PGD); Dong et al. 2018 (MI-FGSM). Differs from the paper, whose source is black-box.
    """
    import torch

    from roco.training.batches import to_unit

    batch_size, eps = gradient_batch(images.device), threshold / 255
    best = images if start is None else start
    best_margins = margins_of(network, best, labels=labels, batch_size=batch_size)
    for number in range(settings.starts):
        perturbed = run_in_batches(
            lambda batch: settings.perturb(batch, eps=eps, alpha=eps / 4),
            network,
            to_unit(images),
            labels=labels,
            method=settings.method,
            seed=seed_from(seed, number),
            batch_size=batch_size,
        )
        rounded = round_within(images, perturbed, threshold=threshold)
        margins = margins_of(network, rounded, labels=labels, batch_size=batch_size)
        better = margins > best_margins
        best = torch.where(better[:, None, None, None], rounded, best)
        best_margins = torch.where(better, margins, best_margins)
    return best


def round_within(clean: Tensor, perturbed: Tensor, *, threshold: int) -> Tensor:
    """Float images in [0, 1] on the uint8 grid, each value at most `threshold` from the clean one.

    Args:
        clean: uint8 `(n, 3, h, w)`.
        perturbed: float32 of that shape; where it is not finite (a network without a gradient) the clean value stays.
        threshold: in 1/255.

    Differs from torchattacks, whose conversion truncates and so breaks the budget by one.
    """
    import torch

    whole = clean.short()
    rounded = torch.where(perturbed.isfinite(), (perturbed * 255).round(), whole.float()).clamp(0, 255).short()
    return torch.clamp(rounded, whole - threshold, whole + threshold).to(torch.uint8)
