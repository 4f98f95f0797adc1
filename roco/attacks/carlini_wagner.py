"""Torchattacks' C&W without its traps, and with a search over its trade-off. Import it late: it costs seconds."""

import torch
import torchattacks
from torch import Tensor
from torch.optim.adam import adam

from roco.attacks.norms import DECIDED, margins

# An image's run ends when its cost has not fallen by this share for some steps, as in the authors' code.
STALLED = 1e-4


class SteadyCW(torchattacks.CW):  # type: ignore[misc]
    """C&W with the right margin and without an early stop; what it finds is misclassified by `DECIDED` at least.

    Differs from torchattacks: its margin takes 0 for the best wrong logit when all are negative; it stops all images
    as soon as the sum of their losses rises, so that a result depends on its batch; black and white pixels have an
    infinite start, which no step can leave (here 0.999999 of the range is used, as in the authors' code); Adam is
    torch's function, because the first step of its class imports torch's compiler, which takes seconds.
    """

    patience: int | None = None

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified ones found, or to themselves."""
        return self.nearest(images, labels, torch.full((len(images),), self.c, device=images.device))[0]

    def nearest(self, images: Tensor, labels: Tensor, trade_off: Tensor) -> tuple[Tensor, Tensor]:
        """One run with a trade-off for each image: the nearest misclassified images, and their squared L2 distances.

        Without `patience` every image takes all steps; with it, an image leaves once its cost has stalled so long.
        """
        position = torch.atanh((2 * images - 1) * 0.999999)
        moments = [torch.zeros_like(position), torch.zeros_like(position)]
        taken = torch.zeros(())
        best, distance = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
        rows = torch.arange(len(images), device=images.device)
        lowest, stalled = torch.full_like(distance, torch.inf), torch.zeros_like(rows)
        for _ in range(self.steps):
            found, distances, logits, cost, gradient = self._step(position, images[rows], labels[rows], trade_off[rows])
            better = (margins(logits, labels[rows]) >= DECIDED) & (distances < distance[rows])
            distance[rows[better]], best[rows[better]] = distances[better], found[better]
            _adam_step(position, gradient, moments=moments, taken=taken, learning_rate=self.lr)
            if self.patience is None:
                continue
            fell = cost < (1 - STALLED) * lowest
            stalled, lowest = torch.where(fell, 0, stalled + 1), torch.where(fell, cost, lowest)
            active = stalled < self.patience
            if not active.all():
                rows, lowest, stalled = rows[active], lowest[active], stalled[active]
                position, moments = position[active], [moment[active] for moment in moments]
            if not len(rows):
                break
        return best, distance

    def _step(self, position: Tensor, images: Tensor, labels: Tensor, trade_off: Tensor) -> tuple[Tensor, ...]:
        position = position.detach().requires_grad_()
        found = (torch.tanh(position) + 1) / 2
        distances = (found - images).square().flatten(1).sum(dim=1)
        logits = self.get_logits(found)
        cost = distances + trade_off * self.f(logits, labels)
        (gradient,) = torch.autograd.grad(cost.sum(), position)
        return found.detach(), distances.detach(), logits.detach(), cost.detach(), gradient

    def f(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The true logit minus the best wrong one, at least -kappa or what decides, `(n,)` (their paper, f6)."""
        true = outputs.gather(1, labels[:, None])[:, 0]
        wrong = outputs.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        return (true - wrong).clamp(min=-max(self.kappa, DECIDED))


class SearchingCW(SteadyCW):
    """C&W run several times, with a trade-off for each image that is searched for (Carlini and Wagner 2017, VI-D).

    Where a run fools the network the trade-off is halved towards the largest that did not; where none has, it is
    multiplied by ten. The nearest image of all runs counts. `patience` is per image.
    """

    def __init__(
        self, model: torch.nn.Module, *, c: float, searches: int, steps: int, patience: int, lr: float
    ) -> None:
        super().__init__(model, c=c, kappa=0.0, steps=steps, lr=lr)
        self.searches, self.patience = searches, patience

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified ones found, or to themselves."""
        best, distance = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
        trade_off = torch.full_like(distance, self.c)
        too_small, enough = torch.zeros_like(distance), torch.full_like(distance, torch.inf)
        for _ in range(self.searches):
            found, distances = self.nearest(images, labels, trade_off)
            better = distances < distance
            distance, best = torch.where(better, distances, distance), torch.where(_wide(better), found, best)
            fooled = distances.isfinite()
            enough = torch.where(fooled, trade_off, enough)
            too_small = torch.where(fooled, too_small, trade_off)
            trade_off = torch.where(enough.isfinite(), (too_small + enough) / 2, 10 * trade_off)
        return best


def _wide(rows: Tensor) -> Tensor:
    return rows[:, None, None, None]


def _adam_step(
    position: Tensor, gradient: Tensor, *, moments: list[Tensor], taken: Tensor, learning_rate: float
) -> None:
    """One step of Adam (Kingma and Ba 2015) with torch's default settings, in place; `taken` counts the steps."""
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
