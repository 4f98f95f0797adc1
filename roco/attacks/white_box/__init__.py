"""White-box attacks on retrained networks.

`ATTACKS` is the one list of them: the settings that a configuration accepts, the reference of settings, the report's
titles and the sanity flags are made from it.
"""

from typing import TYPE_CHECKING

from roco.attacks.choice import choice_of
from roco.attacks.white_box.apgd import APGDCE, APGDT
from roco.attacks.white_box.attack import Attack
from roco.attacks.white_box.autoattack import AutoAttack
from roco.attacks.white_box.bim import BIM
from roco.attacks.white_box.cw import CW, CWSearch
from roco.attacks.white_box.deepfool import DeepFool
from roco.attacks.white_box.fab import FAB, FABT
from roco.attacks.white_box.fgsm import FGSM
from roco.attacks.white_box.l0 import L0
from roco.attacks.white_box.noise import Noise
from roco.attacks.white_box.pgd import PGD
from roco.attacks.white_box.square import Square

ATTACKS: tuple[type[Attack], ...] = (
    FGSM, BIM, PGD, APGDCE, APGDT, FABT, Square, AutoAttack, Noise, L0, DeepFool, CW, CWSearch, FAB,
)  # fmt: skip

if TYPE_CHECKING:
    WhiteBoxAttack = Attack
    UnboundedAttack = Attack
else:
    WhiteBoxAttack = choice_of(ATTACKS)
    UnboundedAttack = choice_of(attack for attack in ATTACKS if not attack.has_budget)


def method_of(attack: type[Attack]) -> str:
    """The name of an attack in a configuration."""
    (method,) = attack.model_fields["method"].annotation.__args__  # type: ignore[union-attr]
    return str(method)


# Methods of stages that do not follow the network's gradients.
WITHOUT_GRADIENTS = frozenset(method_of(attack) for attack in ATTACKS if not attack.uses_gradients)


def title_of(name: str) -> str:
    """The title of an attack in the report, from its name in the configuration: `pgd_strong` is "PGD strong"."""
    titles: dict[str, str] = {}
    for attack in ATTACKS:
        words = method_of(attack).split("_")
        titles |= zip(words, attack.title.split(" ", len(words) - 1), strict=False)
    return " ".join(titles.get(word, word) for word in name.split("_"))
