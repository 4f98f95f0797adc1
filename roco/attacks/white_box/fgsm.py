"""FGSM: one step along the sign of the gradient."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import LinfBudget


class FGSM(LinfBudget):
    """Fast gradient sign method (Goodfellow et al. 2015)."""

    title: ClassVar[str] = "FGSM"
    method: Literal["fgsm"]

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`."""
        return torchattack(batch, "FGSM", eps=self.eps / 255)
