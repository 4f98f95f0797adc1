"""AutoAttack: four attacks in turn."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from roco.attacks.white_box.apgd import APGDCE, APGDT
from roco.attacks.white_box.attack import Attack, LinfBudget
from roco.attacks.white_box.fab import FABT
from roco.attacks.white_box.square import Square
from roco.settings import Count


class AutoAttack(LinfBudget):
    """APGD-CE, APGD-T, FAB-T and Square, each on the images left right by those before (Croce and Hein 2020b)."""

    title: ClassVar[str] = "AutoAttack"
    method: Literal["autoattack"]
    steps: Count = 100
    targets: Count = 9
    queries: Count = 5000

    def stages(self) -> Sequence[Attack]:
        """The standard version's four attacks in their order.

        Source: Croce and Hein 2020b, Section 5; torchattacks' own AutoAttack runs APGD and FAB for 10 steps.
        """
        eps, steps, targets = self.eps, self.steps, self.targets
        return [
            APGDCE(method="apgd_ce", eps=eps, steps=steps),
            APGDT(method="apgd_t", eps=eps, steps=steps, targets=targets),
            FABT(method="fab_t", eps=eps, steps=steps, targets=targets),
            Square(method="square", eps=eps, queries=self.queries),
        ]

    def without_gradients(self) -> Attack:
        """See `Attack`: Square alone."""
        return self.stages()[-1]
