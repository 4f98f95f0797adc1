"""L0 attacks on uint8 images: those of the adversarial sets, and the parts of the white-box attack `l0`.

`ATTACKS` lists them; the settings that a configuration accepts are built from this list.
"""

from typing import TYPE_CHECKING

from roco.attacks.choice import choice_of
from roco.attacks.l0.attack import PixelAttack, attack_l0
from roco.attacks.l0.differential_evolution import DifferentialEvolution
from roco.attacks.l0.greedy import Greedy
from roco.attacks.l0.masked_gradient import MaskedGradient
from roco.attacks.l0.random_search import RandomSearch
from roco.attacks.l0.sigma_zero import SigmaZero
from roco.attacks.l0.sparse_gradient import SparseGradient

__all__ = [
    "ATTACKS", "DifferentialEvolution", "Greedy", "L0Attack", "MaskedGradient", "PixelAttack", "RandomSearch",
    "SigmaZero", "SparseGradient", "attack_l0",
]  # fmt: skip

ATTACKS: tuple[type[PixelAttack], ...] = (
    DifferentialEvolution, RandomSearch, Greedy, SparseGradient, SigmaZero, MaskedGradient,
)  # fmt: skip

if TYPE_CHECKING:
    L0Attack = PixelAttack
else:
    L0Attack = choice_of(ATTACKS)
