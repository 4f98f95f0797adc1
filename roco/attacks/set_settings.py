"""Settings of the attacks that make the adversarial sets."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from roco.settings import Count, NonNegative, Section, Seed


class DifferentialEvolution(Section):
    """L0 by differential evolution over (x, y, r, g, b) of k pixels (Su et al. 2019; Kotyan and Vargas 2022)."""

    method: Literal["differential_evolution"] = "differential_evolution"
    population: Annotated[int, Field(ge=4)] = 100
    steps: Count = 100


class PushedAttack(Section):
    """What the L0 attacks share that are pushed on to a margin in logits, for what is pushed far transfers.

    Attributes:
        margin: by how many logits a wrong class has to lead before an image is done.
        exhaustive: whether all pixels are tried in all corner colours where one may change.
    """

    margin: NonNegative = 5.0
    exhaustive: bool = False


class RandomSearch(PushedAttack):
    """L0 by random search over pixel sets with corner colours (Sparse-RS, Croce et al. 2022).

    Attributes:
        queries: how many pixel sets are tried for an image.
        greedy_candidates: how many pixels a white-box first step tries for each it sets; 0: no such step.
    """

    method: Literal["random_search"] = "random_search"
    queries: Count = 1000
    greedy_candidates: Annotated[int, Field(ge=0)] = 32


# How many candidates the greedy choice tries first, and at most for a pixel that is not the last one.
FIRST_BLOCK = 64


class Greedy(PushedAttack):
    """L0 by greedy choice of pixels in corner colours, those tried that gradients favour: white-box.

    Attributes:
        candidates: how many pixels are tried for the last one that is changed; for those before it 64 at most.
        rivals: for how many of the likeliest other classes gradients are taken, for the last one.
        corners: of how many of the best pixels all corner colours are tried for the last one, where none is enough.
    """

    method: Literal["greedy"] = "greedy"
    candidates: Count = 32
    rivals: Count = 1
    corners: Annotated[int, Field(ge=0)] = 0


class SparseGradient(PushedAttack):
    """L0 by projected gradient (PGD0, Croce and Hein 2019): white-box."""

    method: Literal["sparse_gradient"] = "sparse_gradient"
    steps: Count = 100


L0Attack = Annotated[DifferentialEvolution | RandomSearch | Greedy | SparseGradient, Field(discriminator="method")]


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
    l0_attack: L0Attack = RandomSearch()
    linf_attack: Annotated[ProjectedGradient | MomentumIterative, Field(discriminator="method")] = ProjectedGradient()
    seed: Seed = 0

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds: expected different values in rising order, got {self.thresholds}")
        return self
