"""Square attack: random squares, without gradients."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import LinfBudget, Share
from roco.settings import Count


class Square(LinfBudget):
    """Square attack: no gradients, random squares (Andriushchenko et al. 2020); `share` of the image at first."""

    title: ClassVar[str] = "square"
    uses_gradients: ClassVar[bool] = False
    method: Literal["square"]
    queries: Count = 5000
    restarts: Count = 1
    share: Share = 0.8

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one random start."""
        from roco.attacks.white_box.torchattacks_variants import DecidedSquare

        return torchattack(batch, DecidedSquare, eps=self.eps / 255, n_queries=self.queries, p_init=self.share)
