"""Individuals as pymoo's populations, and how evaluations become individuals. The files are in records.py."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem

from roco.errors import TrainingFailed
from roco.networks.spec import GenomeSpec
from roco.search.objectives import value_of
from roco.search.records import ALWAYS_KNOWN, Evaluation, Individual
from roco.space.genome import Genome


def individual_of(evaluation: Evaluation, *, born: int, objectives: Sequence[str]) -> Individual:
    """The individual of an evaluation in a search with these objectives."""
    shared = {name: getattr(evaluation, name) for name in ("genome", "key", "status", *ALWAYS_KNOWN)}
    others = [text for text in objectives if text not in ALWAYS_KNOWN and evaluation.status == "ok"]
    return Individual(born=born, **shared, further={text: value_of(text, evaluation) for text in others})


def unevaluated(spec: GenomeSpec) -> Individual:
    """A network that no search evaluated as an individual, with the worst errors."""
    cost = spec.cost
    return Individual(
        genome=spec.genome,
        key=spec.phenotype.key,
        born=0,
        status="unevaluated",
        error=1.0,
        adversarial_error=1.0,
        flops=cost.flops,
        parameters=cost.parameters,
    )


class SearchProblem(Problem):  # type: ignore[misc]
    """pymoo's description of bits and objectives; a failed network breaks the single constraint."""

    def __init__(self, n_bits: int, n_objectives: int) -> None:
        super().__init__(n_var=n_bits, n_obj=n_objectives, n_ieq_constr=1, xl=0, xu=1, vtype=bool)


def to_pymoo(individuals: Sequence[Individual], objectives: Sequence[str]) -> PymooPopulation:
    """The individuals as a pymoo population: bits X, objectives F, and G > 0 for failed networks, which come last."""
    return PymooPopulation.new(
        X=np.array([Genome.parse(individual.genome).bits for individual in individuals]),
        F=np.array([[individual.value(name) for name in objectives] for individual in individuals]),
        G=np.array([[-1.0 if individual.status == "ok" else 1.0] for individual in individuals]),
        individual=np.array(individuals, dtype=object),
    )


def from_pymoo(population: PymooPopulation) -> list[Individual]:
    """The individuals of a pymoo population with the ranks from its survival; failed networks rank last."""
    ranks = [member.get("rank") for member in population]
    last = len(population)
    return [
        member.get("individual").model_copy(update={"rank": last if rank is None else int(rank)})
        for member, rank in zip(population, ranks, strict=True)
    ]


def check_any_succeeded(evaluations: Sequence[Evaluation], *, generation: int) -> None:
    """Stops a search if a whole generation failed: the common cause would let the next generation fail too.

    Raises:
        TrainingFailed: all evaluations failed; says the most frequent reason.
    """
    if evaluations and all(each.status != "ok" for each in evaluations):
        reason, count = Counter(each.reason for each in evaluations).most_common(1)[0]
        raise TrainingFailed(
            f"all {len(evaluations)} networks of generation {generation} failed, {count} of them because {reason}; "
            "change evaluation.training, or mend the cause and delete the generation's evaluations"
        )
