"""Attacks of torchattacks without their traps, and with images that leave when they fool the network.

Import it late: torchattacks costs seconds.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from roco.attacks.batches import postpone_scipy_stats
from roco.attacks.norms import DECIDED, margins

postpone_scipy_stats()
import torchattacks  # noqa: E402

# After so many passes the host looks which images fool the network; in between it does not wait for the device.
LOOK = 4


class Leaving:
    """A network for one run on a batch: an image that it gets wrong by `DECIDED` leaves and is kept as it was then.

    Images that have left get logits of 0 and no gradient, and cost nothing.

    Args:
        network: float32 images in [0, 1] to logits.
        images: float32 `(n, 3, h, w)`: all calls are for the same n images.
        labels: int64 `(n,)`.
    """

    def __init__(self, network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> None:
        self.network, self.labels, self.calls = network, labels, 0
        self.rows = torch.arange(len(images), device=images.device)
        self.fooled, self.fooling = torch.zeros_like(labels, dtype=torch.bool), images.detach().clone()
        # The same for the images that are left.
        self._fooled, self._fooling = self.fooled, self.fooling

    def __call__(self, images: Tensor) -> Tensor:
        """Logits `(n, classes)`."""
        everything = len(self.rows) == len(images)
        left = images if everything else images.index_select(0, self.rows)
        logits = self.network(left)
        with torch.no_grad():
            wrong = margins(logits, self.labels[self.rows]) >= DECIDED
            self._fooling = torch.where((wrong & ~self._fooled)[:, None, None, None], left, self._fooling)
            self._fooled = wrong | self._fooled
        padded = (
            logits if everything else logits.new_zeros(len(images), logits.shape[1]).index_copy(0, self.rows, logits)
        )
        self.calls += 1
        if self.calls % LOOK == 0:
            self._leave()
        return padded

    def _leave(self) -> None:
        self.fooled[self.rows], self.fooling[self.rows] = self._fooled, self._fooling
        open_rows = (~self._fooled).nonzero()[:, 0]
        # A network may need at least one image.
        open_rows = open_rows if len(open_rows) else open_rows.new_zeros(1)
        self.rows, self._fooled, self._fooling = (each[open_rows] for each in (self.rows, self._fooled, self._fooling))

    def result(self, perturbed: Tensor) -> Tensor:
        """The images that left as they were then; for the others `perturbed`."""
        self._leave()
        return torch.where(self.fooled[:, None, None, None], self.fooling, perturbed)


class _Stepwise:
    """Makes images leave an attack of torchattacks that is a single run on its batch."""

    model: Callable[[Tensor], Tensor]

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to perturbed ones."""
        network, leaving = self.model, Leaving(self.model, images, labels)
        self.model = leaving
        perturbed = super().forward(images, labels)  # type: ignore[misc]
        self.model = network
        return leaving.result(perturbed)


class StepwiseBIM(_Stepwise, torchattacks.BIM):  # type: ignore[misc]
    """BIM that images leave when they fool the network."""


class StepwisePGD(_Stepwise, torchattacks.PGD):  # type: ignore[misc]
    """PGD that images leave when they fool the network."""


class _StepwiseRuns:
    """Makes images leave each run of APGD."""

    model: Callable[[Tensor], Tensor]

    def attack_single_run(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """The images of the largest loss, which images are still right, the losses, and the perturbed images."""
        network, leaving = self.model, Leaving(self.model, x, y)
        self.model = leaving
        largest, right, loss, perturbed = super().attack_single_run(x, y)  # type: ignore[misc]
        self.model = network
        perturbed = leaving.result(perturbed)
        return largest, right & ~leaving.fooled, loss, perturbed


class StepwiseAPGD(_StepwiseRuns, torchattacks.APGD):  # type: ignore[misc]
    """APGD that images leave when they fool the network."""


class TargetedAPGD(_StepwiseRuns, torchattacks.APGDT):  # type: ignore[misc]
    """APGD-T for any number of classes, which images leave when they fool the network.

    Differs from torchattacks, whose ratio of logits needs four classes: with fewer, the plain difference is used.
    """

    def dlr_loss_targeted(self, x: Tensor, y: Tensor, y_target: Tensor) -> Tensor:
        """The loss `(n,)` to be raised, of logits `(n, classes)`."""
        if x.shape[1] < 4:
            return x.gather(1, y_target[:, None])[:, 0] - x.gather(1, y[:, None])[:, 0]
        loss: Tensor = super().dlr_loss_targeted(x, y, y_target)
        return loss


class DecidedFAB(torchattacks.FAB):  # type: ignore[misc]
    """FAB to the boundary on which a wrong class leads by `DECIDED`: FAB's images lie close to the boundary."""

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to misclassified images within the budget, or to themselves."""
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
        """The lead of the target class over the true class minus `DECIDED`, `(n, 1)`, and its gradient."""
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
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified images found, or to themselves."""
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
            # Torchattacks counts the likeliest classes from 1, and the first is the true class.
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
        """The true logit minus the best wrong logit, plus `DECIDED`; and the loss to be lowered; each `(n,)`."""
        margin, loss = super().margin_and_loss(x, y)
        return margin + DECIDED, loss
