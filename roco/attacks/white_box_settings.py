"""Settings of the white-box attacks on retrained networks.

Every budget (eps, radii) and step (alpha) is in 1/255, one level of an image: 8.0, or the text 8/255.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from roco.attacks.set_settings import L0Attack
from roco.settings import Count, NonNegative, Positive, Section, Seed
from roco.settings.levels import Eps, Radius, Step

Share = Annotated[float, Field(gt=0, le=1)]


class FGSM(Section):
    """Fast gradient sign method (Goodfellow et al. 2015)."""

    method: Literal["fgsm"]
    eps: Eps


class BIM(Section):
    """Basic iterative method (Kurakin et al. 2017); `alpha` is its step."""

    method: Literal["bim"]
    eps: Eps
    alpha: Step
    steps: Count


class PGD(Section):
    """Projected gradient descent from a random start (Madry et al. 2018); `alpha` is its step."""

    method: Literal["pgd"]
    eps: Eps
    alpha: Step
    steps: Count
    restarts: Count = 1


class APGDCE(Section):
    """APGD on the cross-entropy, which sets its own steps (Croce and Hein 2020b); `rho` as in their Algorithm 1."""

    method: Literal["apgd_ce"]
    eps: Eps
    steps: Count = 100
    restarts: Count = 1
    rho: Share = 0.75


class APGDT(Section):
    """APGD on the targeted ratio of logits, towards each of the `targets` likeliest wrong classes in turn."""

    method: Literal["apgd_t"]
    eps: Eps
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    rho: Share = 0.75


class FABT(Section):
    """FAB within a budget, towards each of the `targets` likeliest wrong classes in turn (Croce and Hein 2020a)."""

    method: Literal["fab_t"]
    eps: Eps
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    alpha_max: Share = 0.1
    eta: Positive = 1.05
    beta: Share = 0.9


class Square(Section):
    """Square attack: no gradients, random squares (Andriushchenko et al. 2020); `share` of the image at first."""

    method: Literal["square"]
    eps: Eps
    queries: Count = 5000
    restarts: Count = 1
    share: Share = 0.8


class AutoAttack(Section):
    """APGD-CE, APGD-T, FAB-T and Square, each on what the ones before left right (Croce and Hein 2020b, standard)."""

    method: Literal["autoattack"]
    eps: Eps
    steps: Count = 100
    targets: Count = 9
    queries: Count = 5000


class Noise(Section):
    """The control: every value up or down by `eps` at random, the worst of `draws` draws."""

    method: Literal["noise"]
    eps: Eps
    draws: Count = 10


class L0(Section):
    """Attacks that change at most `pixels` pixels in any way; the worst case of several."""

    method: Literal["l0"]
    pixels: Count
    attacks: Annotated[list[L0Attack], Field(min_length=1)]


class DeepFool(Section):
    """DeepFool: a small L2 perturbation by linearisation (Moosavi-Dezfooli et al. 2016)."""

    method: Literal["deepfool"]
    steps: Count = 50
    overshoot: Positive = 0.02


class CW(Section):
    """Carlini and Wagner's L2 attack with a fixed trade-off `c`."""

    method: Literal["cw"]
    c: Positive = 1.0
    kappa: NonNegative = 0.0
    steps: Count = 50
    learning_rate: Positive = 0.01


class CWSearch(Section):
    """Carlini and Wagner's L2 attack (2017) with a search over `c`, which is the first one that is tried.

    Each of the `searches` runs stops for an image once its cost has not fallen for `patience` steps.
    """

    method: Literal["cw_search"]
    c: Positive = 0.01
    searches: Count = 9
    steps: Count = 200
    patience: Count = 20
    learning_rate: Positive = 0.01


class FAB(Section):
    """FAB without a budget: the smallest perturbation in a norm, over the `targets` likeliest wrong classes."""

    method: Literal["fab"]
    norm: Literal["l2", "linf"]
    steps: Count = 100
    restarts: Count = 1
    targets: Count = 9
    alpha_max: Share = 0.1
    eta: Positive = 1.05
    beta: Share = 0.9


# Attacks that seek a small perturbation, and have no budget.
Unbounded = Annotated[DeepFool | CW | CWSearch | FAB, Field(discriminator="method")]
WhiteBoxAttack = Annotated[
    FGSM | BIM | PGD | APGDCE | APGDT | FABT | Square | AutoAttack | Noise | L0 | DeepFool | CW | CWSearch | FAB,
    Field(discriminator="method"),
]


def without_budget(attack: "WhiteBoxAttack") -> bool:
    """Whether an attack may go as far as it likes: its distance says something, and an image that it leaves right is
    its failure."""
    return isinstance(attack, DeepFool | CW | CWSearch | FAB)


# Rows and columns of the report beside those of the attacks.
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


class RobustnessConfig(Section):
    """The white-box attacks on retrained networks, by name, and on how many test images.

    The paper has neither curves nor smallest perturbations nor checks: left out, they are not made.
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
    smallest_perturbations: dict[AttackName, Unbounded] = {}
    checks: ChecksConfig | None = None
    seed: Seed = 0

    @property
    def with_budget(self) -> list[str]:
        """The names of the attacks that have a budget: what they leave right is a network's accuracy."""
        return [name for name, attack in self.attacks.items() if not without_budget(attack)]
