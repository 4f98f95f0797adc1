"""Carlini and Wagner's L2 attack: with a fixed trade-off of distance against class, and with a search over it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from roco.attacks.batches import Batch
from roco.attacks.norms import DECIDED, margins
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import Attack
from roco.settings import Count, NonNegative, Positive

# An image's run ends when its cost has not fallen by this share for some steps, as in the authors' code.
STALLED = 1e-4
# The host looks after so many steps which images have ended their run.
LOOK = 10


class CW(Attack):
    """Carlini and Wagner's L2 attack with a fixed trade-off `c`."""

    title: ClassVar[str] = "C&W"
    method: Literal["cw"]
    c: Positive = 1.0
    kappa: NonNegative = 0.0
    steps: Count = 50
    learning_rate: Positive = 0.01

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`."""
        import torch

        # Every image takes all steps.
        run = Run(batch, self.steps, self.learning_rate, self.steps, kappa=self.kappa)
        return run.nearest(torch.full((len(batch.images),), self.c, device=batch.images.device))[0]


class CWSearch(Attack):
    """Carlini and Wagner's L2 attack (2017) with a search over the trade-off, which begins at `c`.

    Each of the `searches` runs stops for an image once its cost has not fallen for `patience` steps.
    """

    title: ClassVar[str] = "C&W search"
    method: Literal["cw_search"]
    c: Positive = 0.01
    searches: Count = 9
    steps: Count = 200
    patience: Count = 20
    learning_rate: Positive = 0.01

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; the nearest image of all runs counts.

        After a run that fools the network the trade-off goes halfway to the largest that failed. Until a run does, it
        is multiplied by ten (their Section VI-D).
        """
        import torch

        run = Run(batch, self.steps, self.learning_rate, self.patience)
        best = batch.images.clone()
        distance = torch.full((len(best),), torch.inf, device=best.device)
        trade_off = torch.full_like(distance, self.c)
        too_small, enough = torch.zeros_like(distance), torch.full_like(distance, torch.inf)
        for _ in range(self.searches):
            perturbed, distances = run.nearest(trade_off)
            better = distances < distance
            distance = torch.where(better, distances, distance)
            best = torch.where(better[:, None, None, None], perturbed, best)
            fooled = distances.isfinite()
            enough = torch.where(fooled, trade_off, enough)
            too_small = torch.where(fooled, too_small, trade_off)
            trade_off = torch.where(enough.isfinite(), (too_small + enough) / 2, 10 * trade_off)
        return best


@dataclass(frozen=True)
class Run:
    """Descent by Adam on the distance plus a trade-off times the margin of the true class.

    Differs from torchattacks, where the best wrong logit counts as 0 if all are negative; all images stop as soon as
    the sum of their losses rises, so that a result depends on its batch; and black and white pixels start at infinity,
    which no step can leave (here 0.999999 of the range is used, as in the authors' code).

    Attributes:
        batch: what is attacked.
        steps: how many at most.
        learning_rate: Adam's.
        kappa: the wanted margin in logits; it is `DECIDED` at least.
        patience: an image leaves when its cost has stalled for so many steps.
    """

    batch: Batch
    steps: int
    learning_rate: float
    patience: int
    kappa: float = 0.0

    def nearest(self, trade_off: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest misclassified images, or the clean ones, and their squared L2 distances, or infinity.

        Args:
            trade_off: of each image, `(n,)`.
        """
        import torch

        images, labels = self.batch.images, self.batch.labels
        results, nearest = images.clone(), torch.full(labels.shape, torch.inf, device=images.device)
        rows, taken = torch.arange(len(images), device=images.device), torch.zeros(())
        position = torch.atanh((2 * images - 1) * 0.999999)
        moments = [torch.zeros_like(position), torch.zeros_like(position)]
        best, distance, lowest, stalled = images, nearest, nearest, torch.zeros_like(rows)
        for step in range(self.steps):
            perturbed, distances, logits, cost, gradient = self._step(position, rows, trade_off[rows])
            better = (margins(logits, labels[rows]) >= DECIDED) & (distances < distance) & (stalled < self.patience)
            distance = torch.where(better, distances, distance)
            best = torch.where(better[:, None, None, None], perturbed, best)
            _adam_step(position, gradient, moments=moments, taken=taken, learning_rate=self.learning_rate)
            fell = (cost < (1 - STALLED) * lowest) & (stalled < self.patience)
            stalled, lowest = torch.where(fell, 0, stalled + 1), torch.where(fell, cost, lowest)
            if self.patience < self.steps and (step + 1) % LOOK == 0:
                results[rows], nearest[rows] = best, distance
                left = (stalled < self.patience).nonzero()[:, 0]
                if not len(left):
                    break
                rows, best, distance, lowest, stalled, position, *moments = (
                    each[left] for each in (rows, best, distance, lowest, stalled, position, *moments)
                )
        results[rows], nearest[rows] = best, distance
        return results, nearest

    def _step(self, position: Tensor, rows: Tensor, trade_off: Tensor) -> tuple[Tensor, ...]:
        """Images at a position, their squared distances, logits and costs, and the gradient of the cost."""
        import torch

        position = position.detach().requires_grad_()
        perturbed = (torch.tanh(position) + 1) / 2
        distances = (perturbed - self.batch.images[rows]).square().flatten(1).sum(dim=1)
        logits = self.batch.network(perturbed)
        cost = distances + trade_off * self._lead(logits, self.batch.labels[rows])
        (gradient,) = torch.autograd.grad(cost.sum(), position)
        return perturbed.detach(), distances.detach(), logits.detach(), cost.detach(), gradient

    def _lead(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The true logit minus the best wrong logit, at least -kappa or -DECIDED, `(n,)` (their paper, f6)."""
        true = logits.gather(1, labels[:, None])[:, 0]
        wrong = logits.scatter(1, labels[:, None], float("-inf")).amax(dim=1)
        return (true - wrong).clamp(min=-max(self.kappa, DECIDED))


def _adam_step(
    position: Tensor, gradient: Tensor, *, moments: list[Tensor], taken: Tensor, learning_rate: float
) -> None:
    """One step of Adam (Kingma and Ba 2015) with torch's default settings, in place; `taken` counts the steps.

    It calls torch's function, not its class, whose first step imports torch's compiler, which takes seconds.
    """
    from torch.optim.adam import adam

    adam(
        *([position], [gradient], [moments[0]], [moments[1]], [], [taken]),
        foreach=False,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=learning_rate,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )
