from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from individuals import distinct_genomes, individuals_of

from roco.errors import ArtifactError, TrainingFailed
from roco.search.population import (
    Individual,
    PopulationFile,
    check_any_succeeded,
    from_pymoo,
    read_front,
    read_genomes,
    to_pymoo,
    unevaluated,
    write_front,
    write_genomes,
)
from roco.space.complexity import complexity
from roco.space.genome import Genome

ROWS = [(0.1, 0.5, 30), (0.2, 0.4, 20), (1.0, 1.0, 10)]


def test_an_individual_is_what_its_record_says() -> None:
    (individual, *_) = individuals_of(ROWS)
    record = {
        "genome": individual.genome,
        "key": individual.key,
        "status": "ok",
        "reason": None,
        "error": 0.1,
        "adversarial_error": 0.5,
        "adversarial_breakdown": [],
        "flops": 30,
        "parameters": 300,
        "seconds": 1.5,
    }
    assert Individual.from_record(record, born=4, objectives=("error",)) == replace(individual, born=4)


def test_a_population_reads_back_and_has_the_same_bytes(tmp_path: Path) -> None:
    members = tuple(individuals_of(ROWS, failed=(2,)))
    population = PopulationFile("roco", 3, 7, ("error", "flops"), members, ("a", "b", "c"))
    for name in ("a.json", "b.json"):
        population.save(tmp_path / name)
    assert PopulationFile.load(tmp_path / "a.json") == population
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    text = (tmp_path / "a.json").read_text()
    (tmp_path / "a.json").write_text(text.replace("0.2", "0.1"))
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        PopulationFile.load(tmp_path / "a.json")


def test_genomes_and_fronts_read_back_in_their_order(tmp_path: Path) -> None:
    genomes, front = distinct_genomes(5)[::-1], individuals_of(ROWS)[::-1]
    write_genomes(tmp_path / "genomes.json", genomes, search="roco", seed=0, generation=1)
    write_front(tmp_path / "front.json", front, search="roco", seed=0, objectives=["error", "flops"])
    assert read_genomes(tmp_path / "genomes.json") == genomes
    assert read_front(tmp_path / "front.json") == front
    with pytest.raises(ArtifactError, match="expected an artifact of kind 'front', found 'genomes'"):
        read_front(tmp_path / "genomes.json")


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
        replace(member, rank=rank) for member, rank in zip(members, (1, 0, 3), strict=True)
    ]


def test_an_unevaluated_genome_has_its_complexity_and_the_worst_errors() -> None:
    genome = Genome.parse("1010-0111")
    shape = {"channels": 4, "classes": 3, "stem_padding": 1, "image_size": 16}
    found, cost = unevaluated(genome, **shape), complexity(genome.phenotype, **shape)
    assert (found.genome, found.key, found.status) == ("1010-0111", genome.key, "unevaluated")
    assert (found.flops, found.parameters) == (cost.flops, cost.parameters)
    assert (found.error, found.adversarial_error) == (1.0, 1.0)


def test_a_generation_that_failed_as_a_whole_stops_the_search_with_the_reason() -> None:
    failed = [{"status": "failed", "reason": reason} for reason in ("too slow", "loss is nan", "loss is nan")]
    with pytest.raises(
        TrainingFailed, match="all 3 networks of generation 4 failed, 2 of them because loss is nan; change"
    ):
        check_any_succeeded(failed, generation=4)
    check_any_succeeded([*failed, {"status": "ok", "reason": None}], generation=4)
    check_any_succeeded([], generation=4)
