import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from individuals import individuals_of

from roco.search.population import SearchProblem, to_pymoo
from roco.search.records import Individual
from roco.search.survival import pareto_front, survive, truncate

ERRORS = ["error", "adversarial_error"]
THREE = ["error", "adversarial_error", "flops"]

# Few values, so that ties and duplicates come often.
rows = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.sampled_from([0.1, 0.2, 0.3]), st.integers(1, 4)))
populations = rows.filter(lambda rows: 2 <= len(rows) <= 14).flatmap(
    lambda rows: st.sets(st.integers(0, len(rows) - 1), max_size=len(rows) - 1).map(
        lambda failed: individuals_of(rows, failed=tuple(failed))
    )
)


def dominates(a: Individual, b: Individual, objectives: list[str]) -> bool:
    pairs = [(getattr(a, name), getattr(b, name)) for name in objectives]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


def ranks_of(members: list[Individual], objectives: list[str]) -> dict[str, int]:
    """Front after front is peeled off, by comparing all pairs."""
    ranks: dict[str, int] = {}
    left = [member for member in members if member.status == "ok"]
    while left:
        front = [a for a in left if not any(dominates(b, a, objectives) for b in left)]
        ranks |= {member.key: max(ranks.values(), default=-1) + 1 for member in front}
        left = [member for member in left if member not in front]
    return ranks


def test_ranks_and_crowding_by_hand() -> None:
    # A first front of five, a second of two, a third of one.
    members = individuals_of(
        [
            *((0.0, 1.0, 1), (0.1, 0.7, 1), (0.2, 0.6, 1), (0.6, 0.2, 1), (1.0, 0.0, 1)),
            *((0.3, 0.8, 1), (0.9, 0.3, 1)),
            (1.0, 1.0, 1),
        ]
    )
    problem = SearchProblem(14, 2)
    survivors = survive(to_pymoo(members, ERRORS), problem, size=8, generator=np.random.default_rng(0))
    found = {member.get("individual").key: (member.get("rank"), member.get("crowding")) for member in survivors}
    ranks = [found[member.key][0] for member in members]
    assert ranks == [0, 0, 0, 0, 0, 1, 1, 2]
    # Distance of the two neighbours in each objective by its range, which is 1, averaged over both objectives.
    crowding = [found[member.key][1] for member in members[:5]]
    assert crowding == [math.inf] + [pytest.approx(c) for c in (0.3, 0.5, 0.7)] + [math.inf]


def test_the_most_crowded_of_the_last_front_go_first() -> None:
    members = individuals_of([(0.0, 1.0, 5), (0.1, 0.7, 4), (0.2, 0.6, 3), (0.6, 0.2, 2), (1.0, 0.0, 1), (1, 1, 9)])
    kept = truncate(members, ERRORS, size=4, seed=0, generation=1)
    # The one with the least distance, 0.3, and the dominated one are gone; the rest is sorted by rank and FLOPs.
    assert [member.flops for member in kept] == [1, 2, 3, 5]
    assert {member.rank for member in kept} == {0}
    assert {member.key for member in truncate(members, ERRORS, size=3, seed=5, generation=1)} == {
        members[index].key for index in (0, 3, 4)
    }


@given(members=populations, size=st.integers(1, 16), objectives=st.sampled_from([ERRORS, THREE, ["error"]]))
def test_survival_is_elitist(members: list[Individual], size: int, objectives: list[str]) -> None:
    survivors = truncate(members, objectives, size=size, seed=0, generation=1)
    assert len(survivors) == min(size, len(members))
    by_key = {member.key: member for member in members}
    assert all(member.model_copy(update={"rank": 0}) == by_key[member.key] for member in survivors)
    kept = {member.key for member in survivors}
    assert len(kept) == len(survivors)
    discarded = [member for member in members if member.key not in kept]
    for survivor in survivors:
        if survivor.status == "ok":
            assert not any(dominates(other, survivor, objectives) for other in discarded if other.status == "ok")
        else:
            # A failed one stays only where all others do.
            assert all(other.status == "failed" for other in discarded)
    ranks = ranks_of(members, objectives)
    assert all(member.rank == ranks[member.key] for member in survivors if member.status == "ok")
    assert [(member.rank, member.flops, member.key) for member in survivors] == sorted(
        (member.rank, member.flops, member.key) for member in survivors
    )
    failed = [member for member in survivors if member.status == "failed"]
    assert failed == survivors[len(survivors) - len(failed) :]


@given(members=populations, objectives=st.sampled_from([ERRORS, THREE, ["error"]]))
def test_the_front_is_what_no_other_dominates(members: list[Individual], objectives: list[str]) -> None:
    front = pareto_front(members, objectives)
    ranks = ranks_of(members, objectives)
    assert {member.key for member in front} == {key for key, rank in ranks.items() if rank == 0}
    assert [(member.flops, member.key) for member in front] == sorted((member.flops, member.key) for member in front)
    assert all(member.status == "ok" for member in front)
    # Rank 0 of a population and its front are one thing.
    survivors = truncate(members, objectives, size=len(members), seed=0, generation=0)
    assert {member.key for member in survivors if member.rank == 0} == {member.key for member in front}


@pytest.mark.parametrize("method", ["nsga3", "sms_emoa"])
@given(members=populations, size=st.integers(1, 16), objectives=st.sampled_from([ERRORS, THREE]))
def test_other_methods_keep_whole_fronts_too_and_follow_the_seed(
    method: str, members: list[Individual], size: int, objectives: list[str]
) -> None:
    kept = [truncate(members, objectives, size=size, seed=3, generation=1, method=method) for _ in range(2)]
    assert kept[0] == kept[1]
    by_nsga2 = truncate(members, objectives, size=size, seed=3, generation=1)
    # Methods differ in the choice among the last front alone.
    assert [member.rank for member in kept[0]] == [member.rank for member in by_nsga2]
    assert len({member.key for member in kept[0]}) == min(size, len(members))


def test_sms_emoa_drops_what_adds_least_hypervolume() -> None:
    # Between its neighbours the fourth adds 0.1 x 0.1, less than the others; by crowding the second would go.
    members = individuals_of([(0.0, 1.0, 1), (0.1, 0.6, 2), (0.5, 0.5, 3), (0.9, 0.4, 4), (1.0, 0.0, 5)])
    kept = truncate(members, ERRORS, size=4, seed=0, generation=1, method="sms_emoa")
    # Areas that each alone covers: 0.4 x 0.4, 0.4 x 0.1 and 0.1 x 0.1 for the inner ones.
    assert [member.flops for member in kept] == [1, 2, 3, 5]


def test_nsga3_keeps_one_for_each_direction() -> None:
    # Size 3 in two objectives: directions (1, 0), (1/2, 1/2) and (0, 1); of the two in the middle, the one on its line.
    members = individuals_of([(0.0, 1.0, 1), (0.5, 0.5, 2), (0.6, 0.41, 3), (1.0, 0.0, 4)])
    kept = truncate(members, ERRORS, size=3, seed=0, generation=1, method="nsga3")
    assert [member.flops for member in kept] == [1, 2, 4]


def test_a_failed_network_is_last_even_with_the_best_objectives() -> None:
    members = individuals_of([(0.0, 0.0, 1), (0.5, 0.5, 2), (0.6, 0.6, 3)], failed=(0,))
    assert [member.flops for member in truncate(members, ERRORS, size=3, seed=0, generation=1)] == [2, 3, 1]
    assert [member.flops for member in truncate(members, ERRORS, size=2, seed=0, generation=1)] == [2, 3]
    assert [member.flops for member in pareto_front(members, THREE)] == [2]


def test_there_is_no_front_of_failed_networks() -> None:
    assert pareto_front(individuals_of([(1.0, 1.0, 1), (1.0, 1.0, 2)], failed=(0, 1)), ERRORS) == []


def test_ties_are_cut_alike_for_a_seed() -> None:
    # On one line with equal gaps: all inner ones are crowded alike.
    members = individuals_of([(step / 8, 1 - step / 8, step + 1) for step in range(9)])

    def kept(seed: int) -> list[int]:
        return [member.flops for member in truncate(members, ERRORS, size=5, seed=seed, generation=1)]

    assert kept(1) == kept(1)
    assert len({tuple(kept(seed)) for seed in range(8)}) > 1
    assert all({1, 9} <= set(kept(seed)) for seed in range(8))
