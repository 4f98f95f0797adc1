"""Linf attacks of the adversarial sets.

`ATTACKS` lists them; the settings that a configuration accepts are built from this list.
"""

from typing import TYPE_CHECKING

from roco.attacks.choice import choice_of
from roco.attacks.linf.attack import LinfAttack, attack_linf, round_within
from roco.attacks.linf.mifgsm import MomentumIterative
from roco.attacks.linf.pgd import ProjectedGradient

__all__ = [
    "ATTACKS", "LinfAttack", "LinfSetAttack", "MomentumIterative", "ProjectedGradient", "attack_linf", "round_within",
]  # fmt: skip

ATTACKS: tuple[type[LinfAttack], ...] = (ProjectedGradient, MomentumIterative)

if TYPE_CHECKING:
    LinfSetAttack = LinfAttack
else:
    LinfSetAttack = choice_of(ATTACKS)
