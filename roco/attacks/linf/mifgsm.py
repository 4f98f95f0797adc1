"""MI-FGSM for the adversarial sets: steps along the sign of the gradients summed so far."""

from typing import Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.linf.attack import LinfAttack
from roco.attacks.types import Tensor
from roco.settings import Count, NonNegative


class MomentumIterative(LinfAttack):
    """Linf by the momentum iterative method (Dong et al. 2018), run to its end: made to transfer."""

    method: Literal["mifgsm"] = "mifgsm"
    steps: Count = 20
    decay: NonNegative = 1.0

    def perturb(self, batch: Batch, *, eps: float, alpha: float) -> Tensor:
        """See `LinfAttack`."""
        return torchattack(batch, "MIFGSM", eps=eps, alpha=alpha, steps=self.steps, decay=self.decay)
