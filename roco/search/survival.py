"""Who survives, and who is Pareto-optimal: NSGA-II's rank and crowding distance, by pymoo."""

from collections.abc import Sequence

import numpy as np
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding import RankAndCrowding
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from roco.runtime import numpy_generator
from roco.search.population import Individual, SearchProblem, from_pymoo, to_pymoo


def survive(
    population: PymooPopulation, problem: Problem, *, size: int, generator: np.random.Generator
) -> PymooPopulation:
    """The best `size` members by non-dominated rank, then crowding distance; failed ones come last."""
    return RankAndCrowding().do(problem, population, n_survive=size, random_state=generator)


def truncate(
    individuals: Sequence[Individual], objectives: Sequence[str], *, size: int, seed: int, generation: int
) -> list[Individual]:
    """The survivors of parents and offspring together (elitist; paper, Algorithm 1), with their ranks."""
    population = to_pymoo(individuals, objectives)
    problem = SearchProblem(len(population[0].X), len(objectives))
    generator = numpy_generator("survival", seed, generation)
    survivors = from_pymoo(survive(population, problem, size=min(size, len(population)), generator=generator))
    return sorted(survivors, key=lambda individual: (individual.rank, individual.flops, individual.key))


def pareto_front(individuals: Sequence[Individual], objectives: Sequence[str]) -> list[Individual]:
    """The individuals that did not fail and that no other one dominates, by rising FLOPs."""
    sound = [individual for individual in individuals if individual.status == "ok"]
    if not sound:
        return []
    values = np.array([[float(getattr(individual, name)) for name in objectives] for individual in sound])
    front = [sound[index] for index in NonDominatedSorting().do(values, only_non_dominated_front=True)]
    return sorted(front, key=lambda individual: (individual.flops, individual.key))
