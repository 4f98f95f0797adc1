"""Torchattacks' DeepFool, APGD-T, FAB and Square without their traps. Import it late: torchattacks costs seconds."""

import torch
import torchattacks
from torch import Tensor

from roco.attacks.norms import DECIDED, margins


class BatchedDeepFool(torchattacks.DeepFool):  # type: ignore[misc]
    """DeepFool step by step for a whole batch; images that are clearly misclassified leave it.

    The overshoot is on the whole perturbation, as published (Moosavi-Dezfooli et al. 2016, Section 2): steps lead to
    the boundary, and an image is done when its perturbation, times one and the overshoot, fools the network.

    Differs from the paper: the boundary is where a wrong class leads by `DECIDED`, and an image is done when one does;
    on the boundary itself rounding, and so the batch, would decide. Pixels stay in [0, 1].
    Differs from torchattacks, whose overshoot is on each step, so that it stops on the boundary; it runs image by
    image, and gives NaN for an image without any gradient, which stays as it is here.
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Perturbed images of the same shape."""
        found, place = images.clone().detach(), images.clone().detach()
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            held = self._held(found[active], labels[active])
            active = active[held]
            if not len(active):
                break
            start = place[active].requires_grad_()
            logits = self.get_logits(start)
            step = _nearest_boundary(logits.detach(), _jacobian(logits, start), labels[active])
            place[active] = (place[active] + step).clamp(0, 1)
            change = place[active] - images[active]
            found[active] = (images[active] + (1 + self.overshoot) * change).clamp(0, 1)
        return found

    @torch.no_grad()
    def _held(self, images: Tensor, labels: Tensor) -> Tensor:
        """Which images are not clearly misclassified, bool `(n,)`."""
        return margins(self.get_logits(images), labels) < DECIDED


def _jacobian(logits: Tensor, images: Tensor) -> Tensor:
    """Gradients of each logit `(n, classes, c, h, w)`."""
    classes = logits.shape[1]
    rows = [
        torch.autograd.grad(logits[:, number].sum(), images, retain_graph=number + 1 < classes)[0]
        for number in range(classes)
    ]
    return torch.stack(rows, dim=1)


def _nearest_boundary(logits: Tensor, gradients: Tensor, labels: Tensor) -> Tensor:
    """The L2 step to the nearest boundary of the linearised network (Moosavi-Dezfooli et al. 2016, Algorithm 2).

    The boundary to a class is where it leads the true one by `DECIDED`; it may lie behind.
    """
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


class DecidedFAB(torchattacks.FAB):  # type: ignore[misc]
    """FAB to the boundary where a wrong class leads by `DECIDED`: what it finds lies close to the boundary."""

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to misclassified ones within the budget, or to themselves."""
        self.labels = labels
        found: Tensor = super().forward(images, labels)
        return found

    def attack_single_run_targeted(self, x: Tensor, y: Tensor, use_rand_start: bool = False) -> Tensor:
        """One run towards `target_class` on images that are all still right."""
        self.labels = y
        found: Tensor = super().attack_single_run_targeted(x, y, use_rand_start=use_rand_start)
        return found

    def get_diff_logits_grads_batch_targeted(
        self, imgs: Tensor, la: Tensor, la_target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """By how much the target class leads the true one beyond `DECIDED`, `(n, 1)`, and its gradient."""
        lead, gradient = super().get_diff_logits_grads_batch_targeted(imgs, la, la_target)
        return lead - DECIDED, gradient

    def _get_predicted_label(self, x: Tensor) -> Tensor:
        """The true class as long as no other one leads it by `DECIDED`."""
        with torch.no_grad():
            logits = self.get_logits(x)
        return torch.where(margins(logits, self.labels) >= DECIDED, logits.argmax(dim=1), self.labels)


class SmallestFAB(DecidedFAB):
    """FAB's nearest misclassified image over all target classes and restarts.

    Differs from torchattacks, which is content with the first target class that lies within its budget.
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified ones found, or to themselves."""
        self.labels = labels
        rows = (self._get_predicted_label(images) == labels).nonzero()[:, 0]
        best = images.clone()
        if len(rows):
            best[rows] = self._nearest(images[rows], labels[rows])
        return best

    @torch.no_grad()
    def _nearest(self, images: Tensor, labels: Tensor) -> Tensor:
        order = 2 if self.norm == "L2" else torch.inf
        best, nearest = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
        runs = [(place, restart) for place in range(self.n_target_classes) for restart in range(self.n_restarts)]
        for place, restart in runs:
            self.target_class = place + 2
            found = self.attack_single_run_targeted(images, labels, use_rand_start=restart > 0)
            distances = torch.linalg.vector_norm((found - images).flatten(1), ord=order, dim=1)
            better = (self._get_predicted_label(found) != labels) & (distances < nearest)
            nearest = torch.where(better, distances, nearest)
            best = torch.where(better[:, None, None, None], found, best)
        return best


class DecidedSquare(torchattacks.Square):  # type: ignore[misc]
    """Square that goes on until a wrong class leads by `DECIDED`."""

    def margin_and_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The true logit minus the best wrong one, plus `DECIDED`; and what is to be lowered; each `(n,)`."""
        margin, loss = super().margin_and_loss(x, y)
        return margin + DECIDED, loss
