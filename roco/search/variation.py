"""New genomes: at random, or offspring by tournament, crossover and mutation. No torch, no evaluation."""

import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import binary_tournament
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mating import Mating
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem
from pymoo.operators.crossover.pntx import TwoPointCrossover
from pymoo.operators.mutation.pm import PolynomialMutation
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.selection.tournament import TournamentSelection

from roco.runtime import numpy_generator
from roco.search.population import SearchProblem, to_pymoo
from roco.search.records import Individual
from roco.search.settings import SearchConfig, SearchKind
from roco.search.survival import survive
from roco.space.genome import Density, Genome, bits_per_phase
from roco.space.settings import SpaceConfig

log = logging.getLogger("roco")

Bits = np.ndarray[Any, Any]


class PhaseCrossover(Crossover):  # type: ignore[misc]
    """Two children that inherit whole phases, each phase from either parent with equal chance.

    Source: paper, Algorithm 1. Differs from the authors' code, whose two-point crossover cuts inside phases.
    """

    def __init__(self, phases: int, prob: float) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=prob)
        self.phases = phases

    def _do(self, problem: Problem, X: Bits, *args: Any, random_state: np.random.Generator, **kwargs: Any) -> Bits:
        _, matings, bits = X.shape
        swapped = np.repeat(random_state.random((matings, self.phases)) < 0.5, bits // self.phases, axis=1)
        return np.where(swapped[None], X[::-1], X)


class PhaseMutation(Mutation):  # type: ignore[misc]
    """Flips bits of a single phase: each with probability 1 / length, at least one bit.

    Source: paper, Algorithm 1. Differs from the authors' code, whose polynomial mutation left most children unchanged.
    """

    def __init__(self, phases: int) -> None:
        super().__init__(prob=1.0)
        self.phases = phases

    def _do(self, problem: Problem, X: Bits, *args: Any, random_state: np.random.Generator, **kwargs: Any) -> Bits:
        length = X.shape[1] // self.phases
        mutated = X.astype(bool).copy()
        for bits in mutated:
            start = int(random_state.integers(self.phases)) * length
            flips = random_state.random(length) < 1 / length
            flips[random_state.integers(length)] |= not flips.any()
            bits[start : start + length] ^= flips
        return mutated


class PhenotypeElimination(DuplicateElimination):  # type: ignore[misc]
    """Drops genomes whose phenotype was seen before; the authors compared bit strings instead."""

    def __init__(self, space: SpaceConfig, seen: set[str]) -> None:
        super().__init__()
        self.space = space
        self.seen = seen

    def do(self, pop: PymooPopulation, *args: Any, **kwargs: Any) -> PymooPopulation:
        """The members of `pop` with new phenotypes, which count as seen from now on."""
        kept = []
        for index, member in enumerate(pop):
            key = _genome(member.X, self.space).key
            if key not in self.seen:
                self.seen.add(key)
                kept.append(index)
        return pop[kept]


def _genome(bits: Bits, space: SpaceConfig) -> Genome:
    return Genome.from_bits(np.asarray(bits).astype(bool), phases=space.phases, nodes=space.nodes)


def initial_genomes(space: SpaceConfig, search: SearchConfig, *, named: Sequence[Genome], seed: int) -> list[Genome]:
    """The first population: the named genomes, then random genomes with other phenotypes.

    It is the same for all searches of a seed. It is smaller if the space has fewer phenotypes.
    """
    generator = numpy_generator("initial population", seed)
    first = {genome.key: genome for genome in named}
    count, density = search.population - len(first), search.population_0_density
    others = random_genomes(space, count, seen=list(first), generator=generator, density=density)
    return [*first.values(), *others]


def random_genomes(
    space: SpaceConfig, count: int, *, seen: Sequence[str], generator: np.random.Generator, density: Density
) -> list[Genome]:
    """Random genomes with different phenotypes whose keys are not in `seen`.

    There are fewer than `count` if no more new phenotypes are found. `density`: see `Genome.random`.
    """
    known = set(seen)
    chosen: dict[str, Genome] = {}
    for _ in range(1000 * (count + len(known))):
        if len(chosen) >= count:
            break
        genome = Genome.random(generator, phases=space.phases, nodes=space.nodes, density=density)
        if genome.key not in known:
            chosen.setdefault(genome.key, genome)
    _warn_if_fewer(len(chosen), count)
    return list(chosen.values())


def offspring_genomes(
    parents: Sequence[Individual],
    kind: SearchKind,
    *,
    seen: Sequence[str],
    space: SpaceConfig,
    search: SearchConfig,
    seed: int,
    generation: int,
) -> list[Genome]:
    """The offspring of a population: binary tournament by rank and crowding, crossover, mutation.

    Genomes of a random search have no parents: they are drawn by `random_genomes` with a random density for each phase.

    Args:
        parents: the survivors of the generation before.
        kind: what the search minimises, and by which method.
        seen: keys of all phenotypes that the search has evaluated; none of them comes again.
        space: phases and nodes.
        search: how many offspring, and which operators.
        seed: of the search.
        generation: of the offspring.

    Returns:
        `search.offspring` genomes, or fewer if no more new phenotypes are found.
    """
    if kind.method == "random":
        generator = numpy_generator("random genomes", seed, generation)
        # Light and heavy networks equally often: a control must see light networks, as the other searches do.
        return random_genomes(space, search.offspring, seen=seen, generator=generator, density="uniform")
    problem = SearchProblem(space.phases * bits_per_phase(space.nodes), len(kind.objectives))
    generator = numpy_generator("offspring", seed, generation)
    # Ranks and crowding distances within this population alone, as in Algorithm 1.
    ranked = survive(to_pymoo(parents, kind.objectives), problem, size=len(parents), generator=generator)
    nsga_net = search.variation == "nsga_net"
    mating = Mating(
        TournamentSelection(func_comp=binary_tournament),
        TwoPointCrossover(prob=search.crossover_probability)
        if nsga_net
        else PhaseCrossover(space.phases, prob=search.crossover_probability),
        PolynomialMutation(prob=1.0, eta=3) if nsga_net else PhaseMutation(space.phases),
        repair=RoundingRepair() if nsga_net else None,
        eliminate_duplicates=PhenotypeElimination(space, set(seen)),
        n_max_iterations=1000,
    )
    algorithm = SimpleNamespace(tournament_type="comp_by_rank_and_crowding", random_state=generator)
    children = mating.do(problem, ranked, search.offspring, random_state=generator, algorithm=algorithm)
    _warn_if_fewer(len(children), search.offspring)
    return [_genome(child.X, space) for child in children]


def _warn_if_fewer(made: int, wanted: int) -> None:
    if made < wanted:
        log.warning("no more new phenotypes were found: %d genomes instead of %d; going on with fewer", made, wanted)
