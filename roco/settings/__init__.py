"""What all sections of the configuration share: their base class, kinds of numbers, and the training recipe."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"expected different seeds, got {seeds}")
    return seeds


Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(_different)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Precision = Literal["auto", "fp32", "bf16"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]


class Section(BaseModel):
    """A part of the configuration. Unknown keys and values of another type are errors, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


def kept_from(default: BaseModel) -> BeforeValidator:
    """Fills keys that a section leaves out from `default`, where this differs from the default of its class."""
    return BeforeValidator(lambda given: {**default.model_dump(), **given} if isinstance(given, Mapping) else given)


class Recipe(Section):
    """How a network is trained: SGD with momentum, cosine schedule to zero. Defaults: the paper's search recipe."""

    epochs: Count = 25
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Positive = 0.025
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 3e-4
    gradient_clip: Positive | None = 5.0
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 4
    flip: bool = True
    cutout: Annotated[int, Field(ge=0)] = 0
    precision: Precision = "auto"
