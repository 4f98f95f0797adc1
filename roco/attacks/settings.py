"""Settings of the adversarial sets and of the attacks on retrained networks; each attack has its own in its own file.

Every budget (eps, radii) and step (alpha) is in 1/255, one level of an image: 8.0, or the text 8/255.
"""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from roco.attacks.l0 import L0Attack, RandomSearch
from roco.attacks.linf import LinfSetAttack, ProjectedGradient
from roco.attacks.white_box import UnboundedAttack, WhiteBoxAttack
from roco.attacks.white_box.apgd import APGDCE, APGDT
from roco.attacks.white_box.bim import BIM
from roco.attacks.white_box.cw import CW
from roco.attacks.white_box.deepfool import DeepFool
from roco.attacks.white_box.fgsm import FGSM
from roco.attacks.white_box.noise import Noise
from roco.attacks.white_box.pgd import PGD, PlainPGD
from roco.attacks.white_box.square import Square
from roco.settings import Count, Section, Seed
from roco.settings.levels import Eps, Radius

# The checks compare PGD with this fraction of its steps.
FEWER_STEPS = 4
NOISE_DRAWS = 5


class AdversarialConfig(Section):
    """The adversarial sets: images attacked per cell (target, norm, threshold), and how."""

    images: Count = 1000
    thresholds: Annotated[list[Annotated[int, Field(ge=1, le=255)]], Field(min_length=1)] = [1, 3, 5, 10]
    l0_attack: L0Attack = RandomSearch()
    linf_attack: LinfSetAttack = ProjectedGradient()
    seed: Seed = 0

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds: expected different values in rising order, got {self.thresholds}")
        return self


# The names of other rows and columns of the report.
RESERVED = (
    "test", "adversarial_set", "search", "seed", "slot", "training_seed", "key", "genome", "channels", "parameters",
    "flops", "status", "reason", "retrainings",
)  # fmt: skip
RESERVED_BEGINNING, RESERVED_ENDING = "accuracy_at_", "_median_l2"


def _of_its_own(name: str) -> str:
    if name in RESERVED or name.startswith(RESERVED_BEGINNING) or name.endswith(RESERVED_ENDING):
        raise ValueError(f"expected another name for an attack, got '{name}', which the report uses for something else")
    return name


AttackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([_.][a-z0-9]+)*$"), AfterValidator(_of_its_own)]


class CurveConfig(Section):
    """Accuracy against radius: the smallest of the Linf `radii` at which each image falls, by APGD-CE and APGD-T.

    `steps` are those of each attack at a radius; without `targets` APGD-T is left out.
    """

    radii: Annotated[list[Radius], Field(min_length=1)] = [0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0]
    steps: Count = 100
    targets: Annotated[int, Field(ge=0)] = 9

    @model_validator(mode="after")
    def _radii_rise(self) -> Self:
        if self.radii != sorted(set(self.radii)):
            raise ValueError(f"radii: expected different values in rising order, got {self.radii}")
        return self

    def attacks(self, radius: float) -> list[WhiteBoxAttack]:
        """The attacks at a radius in 1/255, each on the images that those before left right."""
        attacks: list[WhiteBoxAttack] = [APGDCE(method="apgd_ce", eps=radius, steps=self.steps)]
        if self.targets:
            attacks.append(APGDT(method="apgd_t", eps=radius, steps=self.steps, targets=self.targets))
        return attacks


class ChecksConfig(Section):
    """Sanity checks: PGD with a quarter of the `steps` and with all, more `restarts`, a radius where nothing holds."""

    eps: Eps = 8.0
    large_eps: Eps = 128.0
    steps: Annotated[int, Field(ge=4)] = 40
    restarts: Annotated[int, Field(ge=2)] = 5
    queries: Count = 1000

    @model_validator(mode="after")
    def _large_is_larger(self) -> Self:
        if self.large_eps <= self.eps:
            raise ValueError(f"large_eps: expected more than eps ({self.eps:g}), got {self.large_eps:g}")
        return self

    def attacks(self) -> Mapping[str, WhiteBoxAttack]:
        """The attacks that the checks compare, by their purpose."""
        eps, steps, large = self.eps, self.steps, self.large_eps
        return {
            "few_steps": PlainPGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps // FEWER_STEPS),
            "many_steps": PlainPGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps),
            "restarts": PGD(method="pgd", eps=eps, alpha=eps / 4, steps=steps, restarts=self.restarts - 1),
            "large_radius": PGD(method="pgd", eps=large, alpha=large / 4, steps=steps),
            "square": Square(method="square", eps=eps, queries=self.queries),
            "noise": Noise(method="noise", eps=eps, draws=NOISE_DRAWS),
        }


class FewerConfig(Section):
    """Named attacks, the curve, smallest perturbations and checks see only the first `images` of the attacked images.

    Attributes:
        images: how many images they see.
        attacks: the names of attacks in `robustness.attacks` that see only these.
    """

    images: Count = 1000
    attacks: list[AttackName] = []


class RobustnessConfig(Section):
    """The white-box attacks on retrained networks, by name, and on how many test images.

    Curve, smallest perturbations and checks are made only if they are set: the paper has none of them.
    """

    images: Count = 1000
    attacks: Annotated[dict[AttackName, WhiteBoxAttack], Field(min_length=1)] = {
        "fgsm_0.1": FGSM(method="fgsm", eps=25.5),
        "fgsm_0.2": FGSM(method="fgsm", eps=51.0),
        "fgsm_0.3": FGSM(method="fgsm", eps=76.5),
        "bim": BIM(method="bim", eps=1.0, alpha=0.25, steps=10),
        "pgd": PGD(method="pgd", eps=1.0, alpha=0.25, steps=10),
        "deepfool": DeepFool(method="deepfool"),
        "cw": CW(method="cw"),
    }
    curve: CurveConfig | None = None
    smallest_perturbations: dict[AttackName, UnboundedAttack] = {}
    checks: ChecksConfig | None = None
    fewer: FewerConfig | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _fewer_are_fewer(self) -> Self:
        if self.fewer is not None and self.fewer.images > self.images:
            raise ValueError(f"fewer.images: expected at most images ({self.images}), got {self.fewer.images}")
        for name in self.fewer.attacks if self.fewer else []:
            if name not in self.attacks:
                raise ValueError(f"fewer.attacks: expected names of attacks, got '{name}', which is none")
        return self

    def images_for(self, name: str | None = None) -> int:
        """How many images the named attack sees; without a name, the curve, smallest perturbations and checks."""
        few = self.fewer is not None and (name is None or name in self.fewer.attacks)
        return self.fewer.images if self.fewer and few else self.images

    @property
    def with_budget(self) -> list[str]:
        """The names of the attacks with a budget: only their accuracies say how robust a network is."""
        return [name for name, attack in self.attacks.items() if attack.has_budget]
