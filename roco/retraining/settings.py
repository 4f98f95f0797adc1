"""Settings of the retraining of the networks of the fronts."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from roco.settings import Count, Name, Recipe, Section, Seeds, kept_from
from roco.space.complexity import NodeKind
from roco.space.settings import Widths
from roco.training.adversarial import AdversarialRecipe, AnyAdversarialTraining

RETRAINING_RECIPE = Recipe(epochs=120, cutout=16)


class RetrainingConfig(Section):
    """How the networks of the final fronts are trained (paper, Section IV)."""

    channels: Widths = 32
    node: NodeKind | None = None
    training: Annotated[Recipe, kept_from(RETRAINING_RECIPE)] = RETRAINING_RECIPE
    adversarial: AnyAdversarialTraining | None = None
    networks: Count | Literal["all"] = "all"
    searches: Annotated[list[Name], Field(min_length=1)] | Literal["all"] = "all"
    validation_images_too: bool = True
    references: Annotated[list[str], Field(max_length=1000)] = []
    seeds: Seeds = [0]
    processes: Count = 8
    largest_stack: Count = 40

    @property
    def adversarial_recipe(self) -> AdversarialRecipe | None:
        """The same recipe with adversarial training, if networks are trained that way as well."""
        if self.adversarial is None:
            return None
        return AdversarialRecipe(**dict(self.training), adversarial=self.adversarial)

    @model_validator(mode="before")
    @classmethod
    def _has_seeds(cls, raw: Any) -> Any:
        """Refuses `seed`, which configurations of earlier versions have."""
        if isinstance(raw, Mapping) and "seed" in raw:
            seed = raw["seed"] if isinstance(raw["seed"], int) else 0
            raise ValueError(f"seed: is a list of seeds now, a training for each; write 'seeds: [{seed}]' instead")
        return raw
