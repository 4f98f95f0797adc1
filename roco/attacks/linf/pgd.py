"""PGD for the adversarial sets: several steps along the sign of the gradient from a random start."""

from typing import Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.linf.attack import LinfAttack
from roco.attacks.types import Tensor
from roco.settings import Count


class ProjectedGradient(LinfAttack):
    """Linf by projected gradient with restarts (Madry et al. 2018), run to its end."""

    method: Literal["pgd"] = "pgd"
    steps: Count = 40
    restarts: Count = 1

    @property
    def starts(self) -> int:
        """Its restarts."""
        return self.restarts

    def perturb(self, batch: Batch, *, eps: float, alpha: float) -> Tensor:
        """See `LinfAttack`."""
        return torchattack(batch, "PGD", eps=eps, alpha=alpha, steps=self.steps, random_start=True)
