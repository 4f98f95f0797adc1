"""Individuals and populations, as files and as pymoo's populations. How they vary and survive is elsewhere."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from pymoo.core.population import Population as PymooPopulation
from pymoo.core.problem import Problem

from roco.errors import ArtifactError, TrainingFailed
from roco.search.objectives import value_of
from roco.space.complexity import Channels, NodeKind, complexity
from roco.space.genome import Genome
from roco.storage.artifacts import check_provenance, read_json, schema, write_json

# Objectives that every evaluation record holds as fields, and every individual.
IN_EVERY_RECORD = ("error", "adversarial_error", "flops", "parameters")
# What a search's files say of the evaluations behind them.
ORIGIN = ("dataset_fingerprint", "settings_hash")


@dataclass(frozen=True)
class Individual:
    """An evaluated genome.

    Attributes:
        genome: its text.
        key: its phenotype's key.
        born: the generation that evaluated it first in this search.
        status: `ok` or `failed`.
        error: share of validation images that it gets wrong.
        adversarial_error: share of the validation adversarial set that it gets wrong.
        flops: of one forward pass, at the search's width.
        parameters: at the search's width.
        rank: non-domination rank in its population, 0 for its front.
        further: the values of its search's other objectives; none, if it failed.
    """

    genome: str
    key: str
    born: int
    status: str
    error: float
    adversarial_error: float
    flops: int
    parameters: int
    rank: int = 0
    further: dict[str, float] = field(default_factory=dict, hash=False)

    @classmethod
    def from_record(cls, record: dict[str, Any], *, born: int, objectives: Sequence[str]) -> Self:
        """The individual of an evaluation record in a search with these objectives."""
        kept = {name: record[name] for name in ("genome", "key", "status", *IN_EVERY_RECORD)}
        others = [text for text in objectives if text not in IN_EVERY_RECORD and record["status"] == "ok"]
        return cls(born=born, **kept, further={text: value_of(text, record) for text in others})

    def value(self, objective: str) -> float:
        """The value of an objective; infinite for what a failed network does not have."""
        if objective in IN_EVERY_RECORD:
            return float(getattr(self, objective))
        return self.further.get(objective, math.inf)


@dataclass(frozen=True)
class PopulationFile:
    """The survivors of a generation, the keys of all phenotypes that the search has evaluated so far, and the origin of
    the evaluations."""

    search: str
    seed: int
    generation: int
    objectives: tuple[str, ...]
    individuals: tuple[Individual, ...]
    seen: tuple[str, ...]
    dataset_fingerprint: str = ""
    settings_hash: str = ""

    def save(self, path: str | Path) -> None:
        """Writes it as an artifact."""
        content = asdict(self)
        write_json(path, "population", content)

    @classmethod
    def load(cls, path: str | Path, made_for: Mapping[str, Any] | None = None) -> Self:
        """Reads it; raises ArtifactError if the file is damaged, or does not say what `made_for` does."""
        content = read_json(path, "population")
        with schema(path, "population"):
            check_provenance(path, content, made_for or {})
            individuals = tuple(Individual(**individual) for individual in content.pop("individuals"))
            objectives, seen = tuple(content.pop("objectives")), tuple(content.pop("seen"))
            return cls(individuals=individuals, objectives=objectives, seen=seen, **content)


class SearchProblem(Problem):  # type: ignore[misc]
    """The bits and objectives as pymoo wants them described; a network that is not ok breaks the one constraint."""

    def __init__(self, n_bits: int, n_objectives: int) -> None:
        super().__init__(n_var=n_bits, n_obj=n_objectives, n_ieq_constr=1, xl=0, xu=1, vtype=bool)


def to_pymoo(individuals: Sequence[Individual], objectives: Sequence[str]) -> PymooPopulation:
    """The individuals as a pymoo population: bits X, objectives F, and G > 0 for failed ones, which come last."""
    return PymooPopulation.new(
        X=np.array([Genome.parse(individual.genome).bits for individual in individuals]),
        F=np.array([[individual.value(name) for name in objectives] for individual in individuals]),
        G=np.array([[-1.0 if individual.status == "ok" else 1.0] for individual in individuals]),
        individual=np.array(individuals, dtype=object),
    )


def from_pymoo(population: PymooPopulation) -> list[Individual]:
    """The individuals behind a pymoo population, with the rank that survival gave them; failed ones rank last."""
    ranks = [member.get("rank") for member in population]
    last = len(population)
    return [
        replace(member.get("individual"), rank=last if rank is None else int(rank))
        for member, rank in zip(population, ranks, strict=True)
    ]


def write_genomes(path: str | Path, genomes: Sequence[Genome], *, search: str, seed: int, generation: int) -> None:
    """Writes the genomes that a generation has to evaluate."""
    texts = [{"genome": str(genome), "key": genome.key} for genome in genomes]
    write_json(path, "genomes", {"search": search, "seed": seed, "generation": generation, "genomes": texts})


def read_genomes(path: str | Path, made_for: Mapping[str, Any] | None = None) -> list[Genome]:
    """The genomes that `write_genomes` wrote; raises ArtifactError if the file is damaged or not as `made_for` says."""
    content = read_json(path, "genomes")
    with schema(path, "genomes"):
        check_provenance(path, content, made_for or {})
        return [Genome.parse(entry["genome"]) for entry in content["genomes"]]


def read_evaluations(
    paths: Sequence[str | Path], genomes_path: str | Path, made_for: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The evaluation records of a generation, from its shards.

    Args:
        paths: of the shards, in their order.
        genomes_path: of the generation's genomes.
        made_for: what the genomes' file says, as it has to be.

    Raises:
        ArtifactError: a file is damaged, or they do not belong together.
    """
    records: list[dict[str, Any]] = []
    for path in paths:
        with schema(path, "evaluations"):
            for record in read_json(path, "evaluations"):
                check_provenance(path, record, {name: (records or [record])[0][name] for name in ("seed", *ORIGIN)})
                records.append(record)
    genomes = read_genomes(genomes_path, made_for)
    if [record["genome"] for record in records] != [str(genome) for genome in genomes]:
        raise ArtifactError(
            f"{Path(paths[0]).parent}: expected evaluations of the genomes in {genomes_path}, found others; "
            "delete them and run the same command again to make them anew"
        )
    return records


def check_any_succeeded(records: Sequence[Mapping[str, Any]], *, generation: int) -> None:
    """Stops a search of which a whole generation failed: a cause that all share would fail the next one too.

    Raises:
        TrainingFailed: there are records, and all of them failed; says the most frequent reason.
    """
    if records and all(record["status"] != "ok" for record in records):
        reason, count = Counter(record["reason"] for record in records).most_common(1)[0]
        raise TrainingFailed(
            f"all {len(records)} networks of generation {generation} failed, {count} of them because {reason}; "
            "change evaluation.training, or mend the cause and delete the generation's evaluations"
        )


def write_front(
    path: str | Path,
    networks: Sequence[Individual],
    *,
    search: str,
    seed: int,
    objectives: Sequence[str],
    dataset_fingerprint: str = "",
) -> None:
    """Writes the Pareto-optimal networks of a search, in the order given."""
    content = {
        "dataset_fingerprint": dataset_fingerprint,
        "search": search,
        "seed": seed,
        "objectives": list(objectives),
        "networks": [asdict(individual) for individual in networks],
    }
    write_json(path, "front", content)


def read_front(path: str | Path, made_for: Mapping[str, Any] | None = None) -> list[Individual]:
    """The networks that `write_front` wrote; raises ArtifactError if the file is damaged or not as `made_for` says."""
    content = read_json(path, "front")
    with schema(path, "front"):
        check_provenance(path, content, made_for or {})
        return [Individual(**network) for network in content["networks"]]


def unevaluated(
    genome: Genome,
    *,
    channels: Channels,
    classes: int,
    stem_padding: int,
    image_size: int,
    node: NodeKind = "residual",
) -> Individual:
    """A genome that no search evaluated, in the form of an individual; its errors are the worst."""
    cost = complexity(
        genome.phenotype,
        channels=channels,
        classes=classes,
        stem_padding=stem_padding,
        image_size=image_size,
        node=node,
    )
    return Individual(str(genome), genome.key, 0, "unevaluated", 1.0, 1.0, cost.flops, cost.parameters)
