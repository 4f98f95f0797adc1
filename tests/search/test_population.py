from pathlib import Path

import numpy as np
import pytest
from individuals import distinct_genomes, individuals_of
from made_records import evaluation, spec_of

from roco.errors import ArtifactError, TrainingFailed
from roco.search.population import check_any_succeeded, from_pymoo, individual_of, to_pymoo, unevaluated
from roco.search.records import Front, Population, read_genomes, write_genomes
from roco.space.genome import Genome

ROWS = [(0.1, 0.5, 30), (0.2, 0.4, 20), (1.0, 1.0, 10)]


def test_an_individual_is_what_its_record_says() -> None:
    (individual, *_) = individuals_of(ROWS)
    shared = {name: getattr(individual, name) for name in ("genome", "key", "error", "adversarial_error")}
    record = evaluation(**shared, flops=30, parameters=300)
    expected = individual.model_copy(update={"born": 4})
    assert individual_of(record, born=4, objectives=("error",)) == expected
    further = individual_of(record, born=4, objectives=("error", "summed_error")).further
    assert further == {"summed_error": pytest.approx(0.6)}


def test_a_population_reads_back_and_has_the_same_bytes(tmp_path: Path) -> None:
    members = tuple(individuals_of(ROWS, failed=(2,)))
    population = Population(
        search="roco", seed=3, generation=7, objectives=("error", "flops"), individuals=members, seen=("a", "b", "c")
    )
    for name in ("a.json", "b.json"):
        population.save(tmp_path / name)
    assert Population.load(tmp_path / "a.json") == population
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace("0.2", "0.1"))
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        Population.load(tmp_path / "a.json")


def test_genomes_and_fronts_read_back_in_their_order(tmp_path: Path) -> None:
    genomes = distinct_genomes(5)[::-1]
    front = Front(search="roco", seed=0, objectives=("error",), networks=tuple(individuals_of(ROWS)[::-1]))
    write_genomes(tmp_path / "genomes.json", genomes, search="roco", seed=0, generation=1)
    front.save(tmp_path / "front.json")
    assert read_genomes(tmp_path / "genomes.json") == genomes
    assert Front.load(tmp_path / "front.json") == front
    with pytest.raises(ArtifactError, match="expected an artifact of kind 'front', found 'genomes'"):
        Front.load(tmp_path / "genomes.json")


def test_pymoo_gets_bits_objectives_and_the_failed_ones_as_infeasible() -> None:
    members = individuals_of(ROWS, failed=(2,))
    population = to_pymoo(members, ["flops", "adversarial_error"])
    assert population.get("F").tolist() == [[30, 0.5], [20, 0.4], [10, 1.0]]
    assert population.get("FEAS").ravel().tolist() == [True, True, False]
    for member, bits in zip(members, population.get("X"), strict=True):
        assert np.array_equal(bits, Genome.parse(member.genome).bits)
    population[0].set("rank", 1)
    population[1].set("rank", 0)
    assert from_pymoo(population) == [
        member.model_copy(update={"rank": rank}) for member, rank in zip(members, (1, 0, 3), strict=True)
    ]


def test_an_unevaluated_genome_has_its_complexity_and_the_worst_errors() -> None:
    spec = spec_of("1010-0111", channels=4, stem_padding=1)
    found, cost = unevaluated(spec), spec.cost
    assert (found.genome, found.key, found.status) == ("1010-0111", spec.phenotype.key, "unevaluated")
    assert (found.flops, found.parameters) == (cost.flops, cost.parameters)
    assert (found.error, found.adversarial_error) == (1.0, 1.0)


def test_a_generation_that_failed_as_a_whole_stops_the_search_with_the_reason() -> None:
    failed = [evaluation(status="failed", reason=reason) for reason in ("too slow", "loss is nan", "loss is nan")]
    with pytest.raises(
        TrainingFailed, match="all 3 networks of generation 4 failed, 2 of them because loss is nan; change"
    ):
        check_any_succeeded(failed, generation=4)
    check_any_succeeded([*failed, evaluation()], generation=4)
    check_any_succeeded([], generation=4)
