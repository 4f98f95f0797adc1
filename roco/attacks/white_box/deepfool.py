"""DeepFool: steps to the nearest boundary of the linearised network, for a whole batch."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch
from roco.attacks.norms import DECIDED, margins
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import Attack
from roco.settings import Count, Positive


class DeepFool(Attack):
    """DeepFool: a small L2 perturbation by linearisation (Moosavi-Dezfooli et al. 2016)."""

    title: ClassVar[str] = "DeepFool"
    method: Literal["deepfool"]
    steps: Count = 50
    overshoot: Positive = 0.02

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; images that are clearly misclassified leave the batch.

        The overshoot applies to the whole perturbation, as published (their Section 2): steps lead to the boundary, and
        an image is done when 1 + `overshoot` times its perturbation fools the network.

        Differs from the paper: on the boundary a wrong class leads by `DECIDED`, because with a lead of zero rounding,
        and so the batch, would decide. Pixels stay in [0, 1].
        Differs from torchattacks, which applies the overshoot to each step, so that it stops on the boundary; runs
        image by image; and gives NaN for an image without any gradient, which here stays as it is.
        """
        import torch

        images, labels = batch.images, batch.labels
        perturbed, on_boundary = images.clone(), images.clone()
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            with torch.no_grad():
                held = margins(batch.network(perturbed[active]), labels[active]) < DECIDED
            active = active[held]
            if not len(active):
                break
            start = on_boundary[active].requires_grad_()
            logits = batch.network(start)
            step = _nearest_boundary(logits.detach(), _jacobian(logits, start), labels[active])
            on_boundary[active] = (on_boundary[active] + step).clamp(0, 1)
            change = on_boundary[active] - images[active]
            perturbed[active] = (images[active] + (1 + self.overshoot) * change).clamp(0, 1)
        return perturbed


def _jacobian(logits: Tensor, images: Tensor) -> Tensor:
    """Gradients of each logit `(n, classes, c, h, w)`."""
    import torch

    classes = logits.shape[1]
    rows = [
        torch.autograd.grad(logits[:, number].sum(), images, retain_graph=number + 1 < classes)[0]
        for number in range(classes)
    ]
    return torch.stack(rows, dim=1)


def _nearest_boundary(logits: Tensor, gradients: Tensor, labels: Tensor) -> Tensor:
    """The L2 step to the nearest boundary of the linearised network (Moosavi-Dezfooli et al. 2016, Algorithm 2).

    On the boundary to a class that class leads the true class by `DECIDED`. The image may be beyond it already.
    """
    import torch

    rows = torch.arange(len(labels), device=labels.device)
    gaps = logits[rows, labels][:, None] - logits + DECIDED
    normals = gradients - gradients[rows, labels][:, None]
    lengths = normals.flatten(2).norm(dim=2)
    distances = torch.where(lengths > 0, gaps.abs() / lengths, torch.inf)
    distances[rows, labels] = torch.inf
    nearest = distances.argmin(dim=1)
    length = lengths[rows, nearest]
    scale = torch.where(length > 0, gaps[rows, nearest] / length**2, 0.0)
    return scale[:, None, None, None] * normals[rows, nearest]
