"""The files of a study, each declared once: their paths with wildcards, and the names of the rules' logs."""

from collections.abc import Mapping
from enum import StrEnum

# Published networks are retrained once, under the first seed.
REFERENCES = "references"
INITIAL = "initial"
# The folders of retrained networks: trained in the standard way, and from the same seeds adversarially.
STANDARD, ADVERSARIAL = "retrained", "retrained_adversarially"

_SEARCH = "search/{search}/seed_{seed}"
_GENERATION = f"{_SEARCH}/generation_{{generation}}"
_FRONT = "{retrained}/{search}/seed_{seed}"
_TRAINING = f"{_FRONT}/slot_{{slot}}/training_{{training_seed}}"

# Wildcards that are written with three digits, so that files are listed in their order.
THREE_DIGITS = ("generation", "shard", "slot")
# Wildcards whose values say what they are.
SELF_EXPLANATORY = ("retrained", "search", "split", "targets", "target", "norm")


class File(StrEnum):
    """A file of a study, from the study's folder, with Snakemake's wildcards in braces."""

    DATASET = "dataset.h5"
    TARGET_NETWORK = "{targets}/{target}/network.safetensors"
    TARGET_METRICS = "{targets}/{target}/metrics.json"
    ADVERSARIAL_CELL = "adversarial/{split}/{target}/{norm}_{threshold}.h5"
    ADVERSARIAL_SET = "adversarial/{split}.h5"
    TRANSFER = "adversarial/transfer.json"
    GENOMES = f"{_GENERATION}/genomes.json"
    EVALUATIONS = f"{_GENERATION}/evaluations/shard_{{shard}}.json"
    POPULATION = f"{_GENERATION}/population.json"
    FRONT = f"{_SEARCH}/front.json"
    RETRAINED_NETWORK = f"{_TRAINING}/network.safetensors"
    RETRAINING = f"{_TRAINING}/training.json"
    ROBUSTNESS = f"{_TRAINING}/robustness.json"
    TABLE = "tables/{table}.{format}"
    FIGURE = "figures/{figure}.{format}"
    PAGE = "report.html"

    def at(self, **wildcards: object) -> str:
        """The path with the values of wildcards; a wildcard without a value stays in braces."""
        return filled(self.value, wildcards)


# The names of the log and the benchmark of each rule, within logs/ and benchmarks/.
JOB_NAMES = {
    "dataset": "dataset",
    "target": "{targets}/{target}",
    "adversarial_cells": "adversarial/{split}/{target}/{norm}",
    "adversarial_set": "adversarial/{split}",
    "transfer": "adversarial/transfer",
    "initial_genomes": f"{_SEARCH}/genomes",
    "offspring_genomes": f"{_GENERATION}/genomes",
    "evaluate": f"{_GENERATION}/shard_{{shard}}",
    "survivors": f"{_GENERATION}/survivors",
    "front": f"{_SEARCH}/front",
    "references": f"{_SEARCH}/front",
    "retrain": f"{_FRONT}/training",
    "robustness": f"{_TRAINING}/robustness",
    "tables": "tables",
    "figures": "figures",
    "report_page": "report_page",
}


def filled(pattern: str, wildcards: Mapping[str, object]) -> str:
    """A pattern with the values of wildcards; a wildcard without a value stays in braces, for rules."""
    texts = {
        name: f"{int(str(value)):03d}" if name in THREE_DIGITS else str(value) for name, value in wildcards.items()
    }
    return pattern.format_map(_Open(texts))


class _Open(dict[str, str]):
    """Values of wildcards; a wildcard without a value stands for itself."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def in_words(wildcards: Mapping[str, object]) -> str:
    """Wildcards in words, such as `roco, seed 0, generation 2`; the standard training is not named."""
    named = [(name, value) for name, value in wildcards.items() if value != STANDARD]
    return ", ".join(
        str(each) if name in SELF_EXPLANATORY else f"{name.replace('_', ' ')} {each}" for name, each in named
    )
