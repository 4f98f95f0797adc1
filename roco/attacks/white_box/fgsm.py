"""FGSM: one step along the sign of the gradient."""

from typing import TYPE_CHECKING, ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.passes import Passes
from roco.attacks.white_box.attack import LinfBudget

if TYPE_CHECKING:
    from torch import Tensor


class FGSM(LinfBudget):
    """Fast gradient sign method (Goodfellow et al. 2015)."""

    title: ClassVar[str] = "FGSM"
    method: Literal["fgsm"]

    def perturb(self, batch: Batch) -> "Tensor":
        """See `Attack`."""
        return torchattack(batch, "FGSM", eps=self.eps / 255)

    def passes(self, *, classes: int, size: int) -> Passes:
        """See `Attack`."""
        return Passes(gradient=1)
