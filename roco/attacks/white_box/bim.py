"""BIM: several steps along the sign of the gradient."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import LinfBudget
from roco.settings import Count
from roco.settings.levels import Step


class BIM(LinfBudget):
    """Basic iterative method (Kurakin et al. 2017); `alpha` is its step."""

    title: ClassVar[str] = "BIM"
    method: Literal["bim"]
    alpha: Step
    steps: Count

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`."""
        from roco.attacks.white_box.torchattacks_variants import StepwiseBIM

        return torchattack(batch, StepwiseBIM, eps=self.eps / 255, alpha=self.alpha / 255, steps=self.steps)
