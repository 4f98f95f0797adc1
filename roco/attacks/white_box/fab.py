"""FAB: goes to the nearest boundary, towards one class after another; within a budget or without."""

from typing import Any, ClassVar, Literal

from roco.attacks.batches import Batch, torchattack
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import Attack, LinfBudget, Share
from roco.settings import Count, Positive


class FABT(LinfBudget):
    """FAB within a budget, towards each of the `targets` likeliest wrong classes in turn (Croce and Hein 2020a)."""

    title: ClassVar[str] = "FAB T"
    method: Literal["fab_t"]
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    alpha_max: Share = 0.1
    eta: Positive = 1.05
    beta: Share = 0.9

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`; from one start towards each target."""
        from roco.attacks.white_box.torchattacks_variants import DecidedFAB

        return torchattack(batch, DecidedFAB, **_arguments(self, batch), eps=self.eps / 255, norm="Linf")


class FAB(Attack):
    """FAB without a budget: the smallest perturbation in a norm, over the `targets` likeliest wrong classes."""

    title: ClassVar[str] = "FAB"
    method: Literal["fab"]
    norm: Literal["l2", "linf"]
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    alpha_max: Share = 0.1
    eta: Positive = 1.05
    beta: Share = 0.9

    def perturb(self, batch: Batch) -> Tensor:
        """See `Attack`."""
        from roco.attacks.white_box.torchattacks_variants import SmallestFAB

        norm = {"l2": "L2", "linf": "Linf"}[self.norm]
        return torchattack(batch, SmallestFAB, **_arguments(self, batch), eps=None, norm=norm, n_restarts=self.restarts)


def _arguments(attack: FABT | FAB, batch: Batch) -> dict[str, Any]:
    """The arguments that both attacks share, by torchattacks' names."""
    known = {"steps": attack.steps, "alpha_max": attack.alpha_max, "eta": attack.eta, "beta": attack.beta}
    return known | {"multi_targeted": True, "n_classes": min(attack.targets + 1, batch.classes)}
