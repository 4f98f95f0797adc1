"""The searches: what each minimises and how, and the settings that they share."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from roco.search.objectives import OBJECTIVES, parse
from roco.settings import Count, Name, Positive, Recipe, Section
from roco.space.genome import Density
from roco.space.settings import Widths


def _known(text: str) -> str:
    parse(text)
    return text


ObjectiveText = Annotated[str, AfterValidator(_known)]

# The names of other folders beside those of the searches, and of the folder of all searches.
RESERVED = ("initial", "references", "search")


class SearchKind(Section):
    """One search.

    Attributes:
        objectives: what it minimises (`roco.search.objectives`).
        method: who survives: `nsga2` (the paper's Algorithm 1), `nsga3` or `sms_emoa`; all of them choose parents by
            rank and crowding. Or `random`, the control: it draws new random genomes in each generation, as many as the
            others evaluate, with a random density for each phase. Its population is the best of all its genomes, by the
            rule of nsga2, so that it is read and retrained like the others.
    """

    objectives: list[ObjectiveText]
    method: Literal["nsga2", "nsga3", "sms_emoa", "random"] = "nsga2"

    @model_validator(mode="after")
    def _objectives_differ(self) -> Self:
        parsed = [parse(text) for text in self.objectives]
        if not parsed or any(objective in parsed[:position] for position, objective in enumerate(parsed)):
            raise ValueError(f"objectives: expected different objectives, at least one, got {self.objectives}")
        if self.method in ("nsga3", "sms_emoa") and len(parsed) < 2:
            raise ValueError(f"objectives: expected at least two for {self.method}, got {self.objectives}")
        return self


def _whole(value: Any) -> Any:
    """A list of objectives means a search with the default method."""
    if isinstance(value, list):
        return {"objectives": value}
    if not isinstance(value, Mapping | SearchKind):
        raise ValueError(f"expected a list of objectives, or keys and values, got {value!r:.60}")
    return value


NamedSearch = Annotated[SearchKind, BeforeValidator(_whole, json_schema_input_type=list[str] | SearchKind)]


class SearchConfig(Section):
    """The searches by name, and their common settings (paper, Algorithm 1, Table II)."""

    searches: Annotated[dict[Name, NamedSearch], Field(min_length=1)] = {
        "baseline": SearchKind(objectives=["error", "flops"]),
        "roco": SearchKind(objectives=["error", "flops", "adversarial_error"]),
    }
    # Generations, jobs of a generation and slots have three digits in file names.
    population: Annotated[int, Field(ge=2, le=1000)] = 40
    offspring: Annotated[int, Field(ge=1, le=1000)] = 40
    generations: Annotated[int, Field(ge=0, le=999)] = 20
    variation: Literal["phase_wise", "nsga_net"] = "phase_wise"
    crossover_probability: Annotated[float, Field(ge=0, le=1)] = 0.9
    population_0: list[str] = []
    population_0_density: Density = "half"

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        for name in self.searches:
            if name in RESERVED:
                raise ValueError(f"searches: expected another name than '{name}', whose folder holds something else")
        return self

    @property
    def objectives(self) -> list[str]:
        """The objectives of all searches."""
        return sorted({text for kind in self.searches.values() for text in kind.objectives})

    @property
    def measurements(self) -> list[str]:
        """The objectives of all searches that are measured on the trained network."""
        names = {parse(text)[0] for kind in self.searches.values() for text in kind.objectives}
        return sorted(name for name in names if OBJECTIVES[name].measure)


class EvaluationConfig(Section):
    """How a genome is judged in the search, and how genomes are packed into jobs."""

    channels: Widths = 16
    training: Recipe = Recipe()
    genomes_per_job: Count = 40
    processes: Count = 8
    largest_stack: Count = 40
    time_limit_minutes: Positive | None = None
