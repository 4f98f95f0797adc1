"""APGD: projected gradient that sets its own steps, on the cross-entropy and on a targeted ratio of logits."""

from typing import ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import LinfBudget, Share
from roco.settings import Count


class APGDCE(LinfBudget):
    """APGD on the cross-entropy, which sets its own steps (Croce and Hein 2020b); `rho` as in their Algorithm 1."""

    title: ClassVar[str] = "APGD CE"
    method: Literal["apgd_ce"]
    steps: Count = 100
    restarts: Count = 1
    rho: Share = 0.75

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one random start."""
        from roco.attacks.white_box.torchattacks_variants import StepwiseAPGD

        return torchattack(batch, StepwiseAPGD, eps=self.eps / 255, steps=self.steps, rho=self.rho, loss="ce")


class APGDT(LinfBudget):
    """APGD on the targeted ratio of logits, towards each of the `targets` likeliest wrong classes in turn."""

    title: ClassVar[str] = "APGD T"
    method: Literal["apgd_t"]
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    rho: Share = 0.75

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one random start towards each target."""
        from roco.attacks.white_box.torchattacks_variants import TargetedAPGD

        classes = min(self.targets + 1, batch.classes)
        settings = {"eps": self.eps / 255, "steps": self.steps, "rho": self.rho, "n_classes": classes}
        return torchattack(batch, TargetedAPGD, **settings)
