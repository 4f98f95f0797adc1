"""What the searches of a study have found so far, from their populations: for `roco status` and `roco front`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roco.config import StudyConfig
from roco.files import is_there
from roco.storage.artifacts import read_json, schema
from roco.study.files import INITIAL
from roco.study.layout import Layout

# The hypervolume's objectives, for all searches, whichever of them they minimise; as in the report.
VOLUME_OBJECTIVES = ("error", "adversarial_error", "flops")


@dataclass(frozen=True)
class SearchState:
    """A search with one seed, as far as its last population.

    Attributes:
        search: its name.
        seed: its seed.
        generation: of the last population; None if there is none.
        generations: how many there will be.
        evaluated: different networks that it has seen.
        failed: evaluations that failed, of those records that are written.
        front: how many networks of the last population are Pareto-optimal.
        best: the smallest value of each objective in that population, by name, without failed networks.
        hypervolume: of the last population, on the scale of all populations of the study so far; None without one.
    """

    search: str
    seed: int
    generation: int | None
    generations: int
    evaluated: int
    failed: int
    front: int
    best: dict[str, float]
    hypervolume: float | None


def search_states(config: StudyConfig) -> list[SearchState]:
    """All searches of a study with all their seeds.

    Raises:
        ArtifactError: a file of theirs is damaged.
    """
    layout = Layout(config)
    populations = {place: _populations(layout, *place) for place in layout.all_seeds()}
    volumes = _last_hypervolumes([each for course in populations.values() for each in course])
    return [
        _state(layout, search, seed, course=course, hypervolume=volumes.get((search, seed)))
        for (search, seed), course in populations.items()
    ]


def _populations(layout: Layout, search: str, seed: int) -> list[dict[str, Any]]:
    paths = [layout.population(search, seed, number) for number in range(layout.config.search.generations + 1)]
    return [_content(path, "population") for path in paths if is_there(path)]


def _content(path: str, kind: str) -> Any:
    content = read_json(path, kind)
    with schema(path, kind):
        # What is used of it is looked at here, so that a wrong file is named.
        for each in content["individuals"] if kind == "population" else content:
            _ = each["status"], each["error"], each["adversarial_error"], each["flops"], each["parameters"]
    return content


def _state(
    layout: Layout, search: str, seed: int, *, course: Sequence[dict[str, Any]], hypervolume: float | None
) -> SearchState:
    last = course[-1] if course else None
    found = [each for each in (last["individuals"] if last else []) if each["status"] == "ok"]
    generations = layout.config.search.generations
    shards = [
        path
        for number in range(generations + 1)
        for path in layout.shards(search if number else INITIAL, seed, number)
        if is_there(path)
    ]
    counts = Counter(record["status"] for path in shards for record in _content(path, "evaluations"))
    return SearchState(
        search=search,
        seed=seed,
        generation=last["generation"] if last else None,
        generations=generations,
        evaluated=len(last["seen"]) if last else 0,
        failed=counts["failed"],
        front=sum(each["rank"] == 0 for each in found),
        best={name: min(each[name] for each in found) for name in (*VOLUME_OBJECTIVES, "parameters")} if found else {},
        hypervolume=hypervolume,
    )


def _last_hypervolumes(populations: Sequence[dict[str, Any]]) -> dict[tuple[str, int], float]:
    if not populations:
        return {}
    import pandas as pd

    from roco.search.hypervolume import hypervolumes

    place = ("search", "seed", "generation")
    rows = [
        {**individual, **{name: population[name] for name in place}, "evaluations": len(population["seen"])}
        for population in populations
        for individual in population["individuals"]
    ]
    volumes = hypervolumes(pd.DataFrame(rows), VOLUME_OBJECTIVES).sort_values("generation")
    return {(str(row.search), int(row.seed)): float(row.hypervolume) for row in volumes.itertuples(index=False)}  # type: ignore[arg-type]
