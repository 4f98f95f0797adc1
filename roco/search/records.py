"""What a search records: genomes, their evaluations, populations and fronts. Neither torch nor pymoo is imported."""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from roco.attacks.records import CellErrors
from roco.errors import ArtifactError
from roco.space.genome import Genome
from roco.storage.artifacts import check_provenance, write_json
from roco.storage.records import Frozen, Record, check_content, read_content
from roco.storage.store import Store

log = logging.getLogger("roco")

# Objectives that every evaluation and every individual holds as fields.
ALWAYS_KNOWN = ("error", "adversarial_error", "flops", "parameters")


class Evaluation(Frozen):
    """The evaluation of a genome; if its training failed, it has the worst errors.

    Attributes:
        genome: its text.
        key: its phenotype's key.
        reason: why it failed.
        error: share of validation images that the network gets wrong.
        adversarial_error: share of the validation adversarial set that it gets wrong.
        adversarial_breakdown: the same by cell; empty if it failed.
        flops: of one forward pass.
        train_loss: the mean loss of each epoch.
        seconds: the time of its stack divided by the number of networks.
        stack: the number of networks in its stack.
        settings_hash: equal for evaluations that can be compared.
        measured: objectives that were measured on the trained network, by name.
    """

    optional = frozenset({"measured"})

    genome: str
    key: str
    status: Literal["ok", "failed"]
    reason: str | None
    error: float
    adversarial_error: float
    adversarial_breakdown: tuple[CellErrors, ...]
    flops: int
    parameters: int
    epochs: int
    seed: int
    device: str
    precision: str
    train_loss: tuple[float, ...]
    seconds: float
    stack: int
    versions: dict[str, str]
    dataset_fingerprint: str
    settings_hash: str
    measured: dict[str, float] = Field(default_factory=dict)


class Individual(Frozen):
    """An evaluated genome.

    Attributes:
        genome: its text.
        key: its phenotype's key.
        born: the generation that evaluated it first in this search.
        status: `unevaluated` if the configuration names it and no search had it.
        error: share of validation images that it gets wrong.
        adversarial_error: share of the validation adversarial set that it gets wrong.
        flops: of one forward pass, at the search's width.
        parameters: at the search's width.
        rank: non-domination rank in its population, 0 for its front.
        further: the values of its search's other objectives; empty if it failed.
    """

    genome: str
    key: str
    born: int
    status: Literal["ok", "failed", "unevaluated"]
    error: float
    adversarial_error: float
    flops: int
    parameters: int
    rank: int = 0
    further: dict[str, float] = Field(default_factory=dict)

    def value(self, objective: str) -> float:
        """The value of an objective; infinite if a failed network does not have it."""
        if objective in ALWAYS_KNOWN:
            return float(getattr(self, objective))
        return self.further.get(objective, math.inf)


class Population(Record):
    """The survivors of a generation.

    Attributes:
        generation: from 0.
        objectives: of the search.
        individuals: the survivors.
        seen: the keys of all phenotypes that the search has evaluated so far.
        settings_hash: see `Evaluation`.
    """

    kind: ClassVar[str] = "population"

    search: str
    seed: int
    generation: int
    objectives: tuple[str, ...]
    individuals: tuple[Individual, ...]
    seen: tuple[str, ...]
    dataset_fingerprint: str = ""
    settings_hash: str = ""


class Front(Record):
    """The Pareto-optimal networks of a search, by rising FLOPs."""

    kind: ClassVar[str] = "front"

    search: str
    seed: int
    objectives: tuple[str, ...]
    networks: tuple[Individual, ...]
    dataset_fingerprint: str = ""


class GenomeText(Frozen):
    """A genome and its phenotype's key."""

    genome: str
    key: str


class Generation(Record):
    """The genomes that a generation has to evaluate."""

    kind: ClassVar[str] = "genomes"

    search: str
    seed: int
    generation: int
    genomes: tuple[GenomeText, ...]


def write_genomes(path: str | Path, genomes: Sequence[Genome], *, search: str, seed: int, generation: int) -> None:
    """Writes the genomes that a generation has to evaluate."""
    texts = tuple(GenomeText(genome=str(genome), key=genome.key) for genome in genomes)
    Generation(search=search, seed=seed, generation=generation, genomes=texts).save(path)


def read_genomes(path: str | Path, made_for: Mapping[str, object] | None = None) -> list[Genome]:
    """The genomes that `write_genomes` wrote; raises ArtifactError if the file is damaged or not as `made_for` says."""
    texts = Generation.load(path, made_for).genomes
    return check_content(path, Generation.kind, lambda plain: [Genome.parse(each.genome) for each in plain], texts)


# The kind of a shard, and that of a single evaluation in the store.
EVALUATIONS, EVALUATION = "evaluations", "evaluation"
_EVALUATIONS = TypeAdapter(list[Evaluation])


def load_evaluation(store: Store, key: str) -> Evaluation | None:
    """The evaluation that the store has under a key; None if it is missing or damaged."""
    plain = store.read(EVALUATION, key)
    try:
        return plain and check_content(store.path(EVALUATION, key), EVALUATION, Evaluation.model_validate, plain)
    except ArtifactError as error:
        log.warning("%s (computed again)", error)
        return None


def store_evaluation(store: Store, key: str, evaluation: Evaluation) -> None:
    """Keeps an evaluation in the store."""
    store.write(EVALUATION, key, evaluation.model_dump())


def write_evaluations(path: str | Path, evaluations: Sequence[Evaluation]) -> None:
    """Writes the evaluations of a shard."""
    write_json(path, EVALUATIONS, [each.model_dump() for each in evaluations])


def read_evaluations(path: str | Path) -> list[Evaluation]:
    """The evaluations of a shard; raises ArtifactError if the file is missing or damaged."""
    return read_content(path, EVALUATIONS, _EVALUATIONS.validate_python)


def evaluations_of_generation(
    paths: Sequence[str | Path], genomes_path: str | Path, made_for: Mapping[str, object]
) -> list[Evaluation]:
    """The evaluations of a generation, from its shards.

    Args:
        paths: of the shards, in their order.
        genomes_path: of the generation's genomes.
        made_for: values that the file of the genomes must have.

    Raises:
        ArtifactError: a file is damaged, or they do not belong together.
    """
    evaluations: list[Evaluation] = []
    for path in paths:
        for each in read_evaluations(path):
            first = evaluations[0] if evaluations else each
            shared = {name: getattr(first, name) for name in ("seed", "dataset_fingerprint", "settings_hash")}
            check_provenance(path, vars(each), shared)
            evaluations.append(each)
    genomes = read_genomes(genomes_path, made_for)
    if [each.genome for each in evaluations] != [str(genome) for genome in genomes]:
        raise ArtifactError(
            f"{Path(paths[0]).parent}: expected evaluations of the genomes in {genomes_path}, found others; "
            "delete them and run the same command again to make them anew"
        )
    return evaluations
