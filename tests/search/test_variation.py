import logging
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from individuals import distinct_genomes, individuals_of
from made_records import individual

from roco.search.population import SearchProblem
from roco.search.records import Individual
from roco.search.settings import SearchConfig, SearchKind
from roco.search.variation import PhaseCrossover, PhaseMutation, initial_genomes, offspring_genomes
from roco.space.genome import Genome, bits_per_phase
from roco.space.settings import PUBLISHED_GENOMES, SpaceConfig

OBJECTIVES = ["error", "adversarial_error", "flops"]
SPACE = SpaceConfig(phases=2, nodes=4)


def search_of(**changes: object) -> SearchConfig:
    return SearchConfig.model_validate({"population": 8, "offspring": 8} | changes)


def parents_of(*, failed: tuple[int, ...] = ()) -> list[Individual]:
    """Eight random genomes with random objectives."""
    values = np.random.default_rng(0).integers(1, 20, (8, 3)).tolist()
    genomes = initial_genomes(SPACE, search_of(), named=[], seed=0)
    return [
        individual(
            genome=str(genome),
            key=genome.key,
            status="failed" if index in failed else "ok",
            error=error,
            adversarial_error=adversarial,
            flops=flops,
        )
        for index, (genome, (error, adversarial, flops)) in enumerate(zip(genomes, values, strict=True))
    ]


def offspring_of(
    parents: list[Individual], *, seen: list[str] | None = None, method: str = "nsga2", **changes: object
) -> list[Genome]:
    seed, generation = int(str(changes.pop("seed", 0))), int(str(changes.pop("generation", 1)))
    return offspring_genomes(
        parents,
        SearchKind(objectives=OBJECTIVES, method=method),
        seen=[parent.key for parent in parents] if seen is None else seen,
        space=SPACE,
        search=search_of(**changes),
        seed=seed,
        generation=generation,
    )


# ---------------------------------------------------------------------------------------------------------------
# Operators


@given(phases=st.integers(1, 4), nodes=st.integers(2, 5), matings=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_crossover_inherits_whole_phases(phases: int, nodes: int, matings: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    length = phases * bits_per_phase(nodes)
    parents = generator.random((2, matings, length)) < 0.5
    problem = SearchProblem(length, 2)
    children = PhaseCrossover(phases, prob=1.0)._do(problem, parents, random_state=generator)
    assert children.shape == parents.shape
    first, second, one, other = (
        bits.reshape(matings, phases, -1) for bits in (parents[0], parents[1], children[0], children[1])
    )
    kept, swapped = (one == first).all(axis=2), (one == second).all(axis=2)
    assert (kept | swapped).all()
    # What one child does not take the other does.
    assert np.array_equal(other, np.where(kept[..., None], second, first))


def test_each_phase_comes_from_either_parent_with_equal_chance() -> None:
    parents = np.stack([np.zeros((4000, 9), dtype=bool), np.ones((4000, 9), dtype=bool)])
    operator = PhaseCrossover(3, prob=1.0)
    child = operator._do(SearchProblem(9, 2), parents, random_state=np.random.default_rng(0))[0]
    patterns, counts = np.unique(child[:, ::3], axis=0, return_counts=True)
    assert len(patterns) == 8
    # 500 each on average, with a standard deviation of 21.
    assert all(400 < count < 600 for count in counts)


@given(phases=st.integers(1, 4), nodes=st.integers(2, 6), n=st.integers(1, 8), seed=st.integers(0, 10**6))
def test_mutation_changes_exactly_one_phase(phases: int, nodes: int, n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    bits = generator.random((n, phases * bits_per_phase(nodes))) < 0.5
    before = bits.copy()
    mutated = PhaseMutation(phases)._do(SearchProblem(bits.shape[1], 2), bits, random_state=generator)
    changed = (mutated != before).reshape(n, phases, -1).any(axis=2)
    assert (changed.sum(axis=1) == 1).all()
    assert np.array_equal(bits, before)


def test_mutation_reaches_every_bit_and_changes_few() -> None:
    mutated = PhaseMutation(3)._do(SearchProblem(48, 2), np.zeros((6000, 48)), random_state=np.random.default_rng(0))
    share = mutated.mean(axis=0)
    # 16 bits at 1/16 each, and one for certain where that gives none: 1 + (15/16)^16 = 1.36 of 48.
    assert mutated.sum(axis=1).mean() == pytest.approx(1.356, abs=0.05)
    assert share.min() > 0.6 * 1.356 / 48
    assert share.max() < 1.4 * 1.356 / 48


# ---------------------------------------------------------------------------------------------------------------
# The first population


def test_the_first_population_is_the_same_for_a_seed() -> None:
    space, search = SpaceConfig(), search_of(population=12)
    first, same, other = (initial_genomes(space, search, named=[], seed=seed) for seed in (1, 1, 2))
    assert first == same != other
    assert len({genome.key for genome in first}) == 12
    assert all(len(genome.phases) == 3 and genome.nodes == 6 for genome in first)
    # Every bit is drawn alike.
    assert 0.4 < np.mean([genome.bits for genome in first]) < 0.6


def test_densities_drawn_first_give_light_and_heavy_phases_alike_often() -> None:
    shares = {}
    for density in ("half", "uniform"):
        generator = np.random.default_rng(0)
        drawn = [Genome.random(generator, phases=3, nodes=6, density=density) for _ in range(2000)]
        shares[density] = np.array([genome.bits.reshape(3, 16).mean(axis=1) for genome in drawn])
    counts = np.histogram(shares["uniform"], bins=4, range=(0, 1.0001))[0]
    assert (counts > 0.2 * counts.sum()).all()
    assert np.histogram(shares["half"], bins=4, range=(0, 1.0001))[0][0] < 0.05 * counts.sum()
    # Each phase has a density of its own.
    assert abs(np.corrcoef(shares["uniform"].T)[np.triu_indices(3, 1)]).max() < 0.1


def test_the_density_is_a_setting_of_first_populations_and_the_control_s_own() -> None:
    def spread(genomes: Sequence[Genome]) -> float:
        return float(np.std([genome.bits.reshape(3, 16).mean(axis=1) for genome in genomes]))

    half, uniform = (
        spread(initial_genomes(SpaceConfig(), search_of(population=60, population_0_density=name), named=[], seed=0))
        for name in ("half", "uniform")
    )
    kind, search = SearchKind(objectives=OBJECTIVES, method="random"), search_of(offspring=60)
    control = spread(offspring_genomes([], kind, seen=[], space=SpaceConfig(), search=search, seed=0, generation=1))
    assert half < 0.17
    assert min(uniform, control) > 0.24


def test_named_genomes_come_first() -> None:
    named = [Genome.parse(text) for text in PUBLISHED_GENOMES.values()]
    found = initial_genomes(SpaceConfig(), search_of(population=5), named=named, seed=0)
    assert found[:2] == named
    assert len(found) == 5
    assert initial_genomes(SpaceConfig(), search_of(population=5), named=[], seed=0)[:3] == found[2:]


def test_a_small_space_gives_all_it_has_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    space, search = SpaceConfig(phases=1, nodes=2), search_of(population=4, offspring=4)
    with caplog.at_level(logging.WARNING, logger="roco"):
        genomes = initial_genomes(space, search, named=[], seed=0)
    # None, an edge, and an edge with the residual.
    assert len({genome.key for genome in genomes}) == len(genomes) == 3
    assert "3 genomes instead of 4" in caplog.text


# ---------------------------------------------------------------------------------------------------------------
# Offspring


@pytest.mark.parametrize("variation", ["phase_wise", "nsga_net"])
@pytest.mark.parametrize("failed", [(), (0, 2, 3, 5, 6)])
def test_offspring_are_new_and_different(variation: str, failed: tuple[int, ...]) -> None:
    parents = parents_of(failed=failed)
    seen = [genome.key for genome in distinct_genomes(40)] + [parent.key for parent in parents]
    children = offspring_of(parents, seen=seen, variation=variation, offspring=15)
    keys = {child.key for child in children}
    assert len(keys) == len(children) == 15
    assert not keys & set(seen)
    assert all((len(child.phases), child.nodes) == (2, 4) for child in children)


@pytest.mark.parametrize("variation", ["phase_wise", "nsga_net"])
@pytest.mark.parametrize("failed", [(), (0, 2, 3, 5, 6)])
def test_offspring_follow_seed_and_generation_alone(variation: str, failed: tuple[int, ...]) -> None:
    parents = parents_of(failed=failed)
    drawn = []
    for seed, generation, world in ((1, 1, 0), (1, 1, 9), (1, 2, 0), (2, 1, 0)):
        # NumPy's global generator has no say.
        np.random.seed(world)
        drawn.append(offspring_of(parents, variation=variation, seed=seed, generation=generation))
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]


def test_a_random_search_draws_new_genomes_whatever_its_parents_are() -> None:
    parents = parents_of()
    seen = [parent.key for parent in parents]
    children = offspring_of(parents, method="random", offspring=30)
    keys = {child.key for child in children}
    assert len(keys) == 30
    assert not keys & set(seen)
    assert children == offspring_of(parents[:3], seen=seen, method="random", offspring=30)
    assert children != offspring_of(parents, method="random", offspring=30, generation=2)
    assert children != offspring_of(parents, method="random", offspring=30, seed=1)
    # No parent's phases come more often than by chance.
    assert 0.4 < np.mean([genome.bits for genome in children]) < 0.6


def test_a_child_differs_from_its_parents_in_one_phase_at_most() -> None:
    parents = [Genome.parse(parent.genome) for parent in parents_of()]
    for child in offspring_of(parents_of(), offspring=20):
        inherited = [{parent.phases[place] for parent in parents} for place in range(2)]
        assert sum(phase not in phases for phase, phases in zip(child.phases, inherited, strict=True)) <= 1


def test_better_parents_have_more_children() -> None:
    # Without crossover a child has one parent but for one phase; the best has a second phase of its own.
    best = Genome.parse("1111111-1111110")
    rows = [(0.1, 0.1, 1)] + [(0.9, 0.9, 9 + step) for step in range(7)]
    parents = individuals_of(rows)
    parents[0] = individual(genome=str(best), key=best.key, error=0.1, adversarial_error=0.1, flops=1)

    def share_of_best(status: str) -> float:
        first = parents[0].model_copy(update={"status": status})
        children = [
            child
            for seed in range(10)
            for child in offspring_of([first, *parents[1:]], crossover_probability=0.0, seed=seed)
        ]
        return float(
            np.mean([any(a == b for a, b in zip(child.phases, best.phases, strict=True)) for child in children])
        )

    # In a tournament the best wins whenever it is drawn, in 2 of 8; a failed one never, but against itself.
    assert share_of_best("ok") > 0.15
    assert share_of_best("failed") == 0


def test_a_space_without_new_phenotypes_gives_fewer_offspring_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    space, search = SpaceConfig(phases=1, nodes=2), search_of(offspring=2)
    edge = Genome.parse("10")
    parents = [
        individual(genome="10", key=edge.key, error=0.1, adversarial_error=0.1, flops=5),
        individual(genome="11", key="x", error=0.2, adversarial_error=0.2, flops=6),
    ]
    with caplog.at_level(logging.WARNING, logger="roco"):
        children = offspring_genomes(
            parents,
            SearchKind(objectives=OBJECTIVES),
            seen=[edge.key, Genome.parse("11").key],
            space=space,
            search=search,
            seed=0,
            generation=1,
        )
    assert [child.phenotype.phases for child in children] == [()]
    assert "1 genomes instead of 2" in caplog.text
