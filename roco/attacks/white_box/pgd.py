"""PGD: several steps along the sign of the gradient from a random start, with restarts."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import LinfBudget
from roco.settings import Count
from roco.settings.levels import Step


class PGD(LinfBudget):
    """Projected gradient descent from a random start (Madry et al. 2018); `alpha` is its step."""

    title: ClassVar[str] = "PGD"
    method: Literal["pgd"]
    alpha: Step
    steps: Count
    restarts: Count = 1

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one random start."""
        from roco.attacks.white_box.torchattacks_variants import StepwisePGD

        settings = {"eps": self.eps / 255, "alpha": self.alpha / 255, "steps": self.steps}
        return torchattack(batch, StepwisePGD, **settings, random_start=True)


class PlainPGD(PGD):
    """PGD whose last step alone counts, for the check that more steps do not fool fewer images."""

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one random start."""
        settings = {"eps": self.eps / 255, "alpha": self.alpha / 255, "steps": self.steps}
        return torchattack(batch, "PGD", **settings, random_start=True)
