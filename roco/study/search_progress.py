"""The progress of a study's searches, from their populations: for `roco status`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from roco.config import StudyConfig
from roco.files import is_there
from roco.search.records import Population, read_evaluations
from roco.study.files import INITIAL
from roco.study.layout import Layout


@dataclass(frozen=True)
class SearchProgress:
    """A search with one seed, up to its last population.

    Attributes:
        generation: of the last population; None if there is none.
        generations: how many there will be.
        evaluated: the number of different networks so far.
        failed: the number of failed evaluations so far.
        front: the number of Pareto-optimal networks in the last population.
        best: the smallest value of each objective in that population, by name, without failed networks.
        hypervolume: of the last population, on the scale of all populations of the study so far; None if there is none.
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


def search_progress(config: StudyConfig) -> list[SearchProgress]:
    """All searches of a study with all their seeds.

    Raises:
        ArtifactError: one of their files is damaged.
    """
    layout = Layout(config)
    courses = {
        (search, seed): [
            Population.load(path)
            for number in range(config.search.generations + 1)
            if is_there(path := layout.population(search, seed, number))
        ]
        for search, seed in layout.all_seeds()
    }
    volumes = _last_hypervolumes([population for course in courses.values() for population in course])
    return [_progress(layout, *search, course=course, volume=volumes.get(search)) for search, course in courses.items()]


def _progress(
    layout: Layout, search: str, seed: int, *, course: Sequence[Population], volume: float | None
) -> SearchProgress:
    from roco.search.hypervolume import VOLUME_OBJECTIVES

    last = course[-1] if course else None
    sound = [each for each in (last.individuals if last else ()) if each.status == "ok"]
    generations = layout.config.search.generations
    shards = [
        path
        for number in range(generations + 1)
        for path in layout.shards(search if number else INITIAL, seed, number)
        if is_there(path)
    ]
    counts = Counter(evaluation.status for path in shards for evaluation in read_evaluations(path))
    names = (*VOLUME_OBJECTIVES, "parameters")
    return SearchProgress(
        search=search,
        seed=seed,
        generation=last.generation if last else None,
        generations=generations,
        evaluated=len(last.seen) if last else 0,
        failed=counts["failed"],
        front=sum(each.rank == 0 for each in sound),
        best={name: min(getattr(each, name) for each in sound) for name in names} if sound else {},
        hypervolume=volume,
    )


def _last_hypervolumes(populations: Sequence[Population]) -> dict[tuple[str, int], float]:
    if not populations:
        return {}
    import pandas as pd

    from roco.search.hypervolume import VOLUME_OBJECTIVES, hypervolumes

    rows = [
        {
            **dict(individual),
            "search": population.search,
            "seed": population.seed,
            "generation": population.generation,
            "evaluations": len(population.seen),
        }
        for population in populations
        for individual in population.individuals
    ]
    volumes = hypervolumes(pd.DataFrame(rows), VOLUME_OBJECTIVES).sort_values("generation")
    return {(str(row.search), int(row.seed)): float(row.hypervolume) for row in volumes.itertuples(index=False)}  # type: ignore[arg-type]
