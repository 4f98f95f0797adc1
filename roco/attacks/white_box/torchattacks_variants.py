"""Torchattacks' APGD-T, FAB and Square without their traps. Import it late: torchattacks costs seconds."""

import torch
from torch import Tensor

from roco.attacks.batches import postpone_scipy_stats
from roco.attacks.norms import DECIDED, margins

postpone_scipy_stats()
import torchattacks  # noqa: E402


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
        perturbed: Tensor = super().forward(images, labels)
        return perturbed

    def attack_single_run_targeted(self, x: Tensor, y: Tensor, use_rand_start: bool = False) -> Tensor:
        """One run towards `target_class` on images that are all still right."""
        self.labels = y
        perturbed: Tensor = super().attack_single_run_targeted(x, y, use_rand_start=use_rand_start)
        return perturbed

    def get_diff_logits_grads_batch_targeted(
        self, imgs: Tensor, la: Tensor, la_target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """By how much the target class leads the true one beyond `DECIDED`, `(n, 1)`, and its gradient."""
        lead, gradient = super().get_diff_logits_grads_batch_targeted(imgs, la, la_target)
        return lead - DECIDED, gradient

    def _get_predicted_label(self, x: Tensor) -> Tensor:
        """The true class as long as no other class leads it by `DECIDED`."""
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
        runs = [(target, restart) for target in range(self.n_target_classes) for restart in range(self.n_restarts)]
        for target, restart in runs:
            # Torchattacks counts the likeliest classes from 1, and the first is the true one.
            self.target_class = target + 2
            perturbed = self.attack_single_run_targeted(images, labels, use_rand_start=restart > 0)
            distances = torch.linalg.vector_norm((perturbed - images).flatten(1), ord=order, dim=1)
            better = (self._get_predicted_label(perturbed) != labels) & (distances < nearest)
            nearest = torch.where(better, distances, nearest)
            best = torch.where(better[:, None, None, None], perturbed, best)
        return best


class DecidedSquare(torchattacks.Square):  # type: ignore[misc]
    """Square that goes on until a wrong class leads by `DECIDED`."""

    def margin_and_loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The true logit minus the best wrong one, plus `DECIDED`; and what is to be lowered; each `(n,)`."""
        margin, loss = super().margin_and_loss(x, y)
        return margin + DECIDED, loss
