"""Survivors and Pareto fronts by pymoo: NSGA-II's rank and crowding distance, or the rule of another method."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga3 import ReferenceDirectionSurvival
from pymoo.algorithms.moo.sms import LeastHypervolumeContributionSurvival
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from pymoo.util.ref_dirs import get_reference_directions

from roco.runtime import numpy_generator
from roco.search.population import SearchProblem, from_pymoo, to_pymoo
from roco.search.records import Individual


def survive(
    population: PymooPopulation, problem: Problem, *, size: int, generator: np.random.Generator, method: str = "nsga2"
) -> PymooPopulation:
    """The best `size` members by non-dominated rank, then by the rule of the method; failed networks last.

    Args:
        population: with objectives F and the constraint G.
        problem: which describes them.
        size: how many survive.
        generator: decides ties.
        method: decides within the last front. `nsga3`: the members closest to evenly spread reference directions, as
            many as fit in `size` (Deb and Jain 2014); `sms_emoa`: those that contribute most to the hypervolume (Beume
            et al. 2007); any other: those with the largest crowding distance (Deb et al. 2002).
    """
    if method == "nsga3":
        survival = ReferenceDirectionSurvival(_reference_directions(problem.n_obj, size))
    else:
        survival = LeastHypervolumeContributionSurvival() if method == "sms_emoa" else RankAndCrowding()
    # pymoo silences all warnings of the process while it looks for the nadir point.
    with warnings.catch_warnings():
        return survival.do(problem, population, n_survive=size, random_state=generator)


def _reference_directions(objectives: int, size: int) -> np.ndarray[Any, Any]:
    """Directions `(directions, objectives)` on a regular grid: at most `size`, but at least one per objective."""
    partitions = 1
    while math.comb(partitions + objectives, objectives - 1) <= size:
        partitions += 1
    directions: np.ndarray[Any, Any] = get_reference_directions("das-dennis", objectives, n_partitions=partitions)
    return directions


def truncate(
    individuals: Sequence[Individual],
    objectives: Sequence[str],
    *,
    size: int,
    seed: int,
    generation: int,
    method: str = "nsga2",
) -> list[Individual]:
    """The survivors of parents and offspring together (elitist; paper, Algorithm 1), with their ranks."""
    population = to_pymoo(individuals, objectives)
    problem = SearchProblem(len(population[0].X), len(objectives))
    generator = numpy_generator("survival", seed, generation)
    size = min(size, len(population))
    survivors = from_pymoo(survive(population, problem, size=size, generator=generator, method=method))
    return sorted(survivors, key=lambda individual: (individual.rank, individual.flops, individual.key))


def pareto_front(individuals: Sequence[Individual], objectives: Sequence[str]) -> list[Individual]:
    """The individuals whose training did not fail and that no other dominates, by rising FLOPs."""
    sound = [individual for individual in individuals if individual.status == "ok"]
    if not sound:
        return []
    values = np.array([[individual.value(name) for name in objectives] for individual in sound])
    front = [sound[index] for index in NonDominatedSorting().do(values, only_non_dominated_front=True)]
    return sorted(front, key=lambda individual: (individual.flops, individual.key))
