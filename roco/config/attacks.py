"""Settings of the attacks: those that make the adversarial sets, and the white-box ones on retrained networks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from roco.config.section import Count, NonNegative, Positive, Section, Seed


class DifferentialEvolution(Section):
    """L0 by differential evolution over (x, y, r, g, b) of k pixels (Su et al. 2019; Kotyan and Vargas 2022)."""

    method: Literal["differential_evolution"] = "differential_evolution"
    population: Annotated[int, Field(ge=4)] = 100
    steps: Count = 100


class PushedAttack(Section):
    """What the L0 attacks share that are pushed on to a margin in logits, for what is pushed far transfers."""

    margin: NonNegative = 5.0
    exhaustive: bool = False


class RandomSearch(PushedAttack):
    """L0 by random search over pixel sets with corner colours (Sparse-RS, Croce et al. 2022)."""

    method: Literal["random_search"] = "random_search"
    queries: Count = 1000
    greedy_candidates: Annotated[int, Field(ge=0)] = 0


class Greedy(PushedAttack):
    """L0 by greedy choice of pixels in corner colours, those tried that the gradient favours: white-box."""

    method: Literal["greedy"] = "greedy"
    candidates: Count = 32


class SparseGradient(PushedAttack):
    """L0 by projected gradient (PGD0, Croce and Hein 2019): white-box."""

    method: Literal["sparse_gradient"] = "sparse_gradient"
    steps: Count = 100


class ProjectedGradient(Section):
    """Linf by projected gradient with restarts (Madry et al. 2018), run to its end."""

    method: Literal["pgd"] = "pgd"
    steps: Count = 40
    restarts: Count = 1


class MomentumIterative(Section):
    """Linf by the momentum iterative method (Dong et al. 2018), run to its end: made to transfer."""

    method: Literal["mifgsm"] = "mifgsm"
    steps: Count = 20
    decay: NonNegative = 1.0


class AdversarialConfig(Section):
    """The adversarial sets: images attacked per cell (target, norm, threshold), and how."""

    images: Count = 1000
    thresholds: Annotated[list[Annotated[int, Field(ge=1, le=255)]], Field(min_length=1)] = [1, 3, 5, 10]
    l0_attack: Annotated[
        DifferentialEvolution | RandomSearch | Greedy | SparseGradient, Field(discriminator="method")
    ] = RandomSearch()
    linf_attack: Annotated[ProjectedGradient | MomentumIterative, Field(discriminator="method")] = ProjectedGradient()
    seed: Seed = 0

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds: expected different values in rising order, got {self.thresholds}")
        return self


class FGSM(Section):
    """Fast gradient sign method; `eps` in 1/255."""

    method: Literal["fgsm"]
    eps: Positive


class BIM(Section):
    """Basic iterative method; `eps` and `alpha` (step) in 1/255."""

    method: Literal["bim"]
    eps: Positive
    alpha: Positive
    steps: Count


class PGD(Section):
    """Projected gradient descent from a random start; `eps` and `alpha` (step) in 1/255."""

    method: Literal["pgd"]
    eps: Positive
    alpha: Positive
    steps: Count
    restarts: Count = 1


class DeepFool(Section):
    """DeepFool (smallest L2 perturbation by linearisation)."""

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


WhiteBoxAttack = Annotated[FGSM | BIM | PGD | DeepFool | CW, Field(discriminator="method")]
AttackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([_.][a-z0-9]+)*$")]


class RobustnessConfig(Section):
    """The white-box attacks on retrained networks, by name, and on how many test images."""

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
    seed: Seed = 0
