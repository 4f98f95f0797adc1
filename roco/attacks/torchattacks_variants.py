"""Torchattacks' DeepFool, APGD-T and FAB without their traps. Import it late: torchattacks costs seconds."""

import torch
import torchattacks
from torch import Tensor


class BatchedDeepFool(torchattacks.DeepFool):  # type: ignore[misc]
    """DeepFool step by step for a whole batch; images that are misclassified leave it.

    Differs from torchattacks, which runs image by image: an image without any gradient stays as it is (there: NaN).
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Perturbed images of the same shape."""
        found = images.clone().detach()
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            start = found[active].requires_grad_()
            logits = self.get_logits(start)
            right = logits.argmax(dim=1) == labels[active]
            if not right.any():
                break
            gradients = _jacobian(logits, start)[right]
            active = active[right]
            step = _nearest_boundary(logits.detach()[right], gradients, labels[active])
            found[active] = (found[active] + (1 + self.overshoot) * step).clamp(0, 1)
        return found


def _jacobian(logits: Tensor, images: Tensor) -> Tensor:
    """Gradients of each logit `(n, classes, c, h, w)`."""
    classes = logits.shape[1]
    rows = [
        torch.autograd.grad(logits[:, number].sum(), images, retain_graph=number + 1 < classes)[0]
        for number in range(classes)
    ]
    return torch.stack(rows, dim=1)


def _nearest_boundary(logits: Tensor, gradients: Tensor, labels: Tensor) -> Tensor:
    """The L2 step to the nearest boundary of the linearised network (Moosavi-Dezfooli et al. 2016, Algorithm 2)."""
    rows = torch.arange(len(labels), device=labels.device)
    gaps = (logits - logits[rows, labels][:, None]).abs()
    normals = gradients - gradients[rows, labels][:, None]
    lengths = normals.flatten(2).norm(dim=2)
    distances = torch.where(lengths > 0, gaps / lengths, torch.inf)
    distances[rows, labels] = torch.inf
    nearest = distances.argmin(dim=1)
    length = lengths[rows, nearest]
    scale = torch.where(length > 0, gaps[rows, nearest] / length**2, 0.0)
    return scale[:, None, None, None] * normals[rows, nearest]


class TargetedAPGD(torchattacks.APGDT):  # type: ignore[misc]
    """APGD-T for any number of classes.

    Differs from torchattacks, whose ratio of logits needs four classes: with fewer, the plain difference is used.
    """

    def dlr_loss_targeted(self, x: Tensor, y: Tensor, y_target: Tensor) -> Tensor:
        """The loss `(n,)` to be raised, of logits `(n, classes)`."""
        if x.shape[1] < 4:
            return x.gather(1, y_target[:, None])[:, 0] - x.gather(1, y[:, None])[:, 0]
        loss: Tensor = super().dlr_loss_targeted(x, y, y_target)
        return loss


class SmallestFAB(torchattacks.FAB):  # type: ignore[misc]
    """FAB's nearest misclassified image over all target classes and restarts.

    Differs from torchattacks, which is content with the first target class that lies within its budget.
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified ones found, or to themselves."""
        order = 2 if self.norm == "L2" else torch.inf
        best, nearest = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
        runs = [(place, restart) for place in range(self.n_target_classes) for restart in range(self.n_restarts)]
        with torch.no_grad():
            for place, restart in runs:
                self.target_class = place + 2
                found = self.attack_single_run_targeted(images, labels, use_rand_start=restart > 0)
                distances = torch.linalg.vector_norm((found - images).flatten(1), ord=order, dim=1)
                better = (self._get_predicted_label(found) != labels) & (distances < nearest)
                nearest = torch.where(better, distances, nearest)
                best = torch.where(better[:, None, None, None], found, best)
        return best
