"""The networks that a study has found so far, by key, with what was measured of them."""

from dataclasses import dataclass
from typing import Any

from roco.config import StudyConfig
from roco.errors import ConfigError, GenomeError
from roco.files import is_there
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_json, schema
from roco.study.layout import Layout


@dataclass(frozen=True)
class Found:
    """A network of a study.

    Attributes:
        genome: what it decodes from.
        individual: its entry in a population; None where the study's searches never had it.
        measured: what was measured of each of its retrainings, once a training seed; empty before that.
    """

    genome: Genome
    individual: dict[str, Any] | None
    measured: tuple[dict[str, Any], ...]


def last_population(config: StudyConfig, search: str, seed: int) -> dict[str, Any] | None:
    """The content of a search's last population, None before the first.

    Raises:
        ConfigError: there is no such search or seed in the configuration.
    """
    if search not in config.search.searches:
        raise ConfigError(f"{search}: expected one of {', '.join(config.search.searches)}")
    if seed not in config.seeds:
        raise ConfigError(f"seed {seed}: expected one of {', '.join(map(str, config.seeds))}")
    for generation in reversed(range(config.search.generations + 1)):
        path = Layout(config).population(search, seed, generation)
        if is_there(path):
            content: dict[str, Any] = read_json(path, "population")
            with schema(path, "population"):
                _ = [(each["key"], each["genome"], each["rank"]) for each in content["individuals"]]
            return content
    return None


def find(config: StudyConfig, name: str) -> Found:
    """The network of a key (or of the beginning of one), a published name or a genome's text.

    Raises:
        ConfigError: no network of the study has this key, or several have.
    """
    individuals = _individuals(config)
    measured = _measured(config)
    if name in PUBLISHED_GENOMES or "-" in name:
        try:
            genome = Genome.parse(PUBLISHED_GENOMES.get(name, name))
        except GenomeError as error:
            raise ConfigError(f"{name}: {error}") from None
    else:
        texts = {key: each["genome"] for key, each in [*individuals.items(), *((m["key"], m) for m in measured)]}
        keys = sorted(key for key in texts if key.startswith(name))
        if len(keys) != 1:
            several = f"several: {', '.join(keys[:5])}" if keys else "none"
            raise ConfigError(f"{name}: expected a network's key in {config.folder}, found {several}; see roco front")
        genome = Genome.parse(texts[keys[0]])
    # Several searches may have found it: with one training seed it is one training.
    of_it = {training["training_seed"]: training for training in reversed(measured) if training["key"] == genome.key}
    return Found(genome, individuals.get(genome.key), tuple(of_it[seed] for seed in sorted(of_it)))


def _individuals(config: StudyConfig) -> dict[str, dict[str, Any]]:
    layout, found = Layout(config), dict[str, dict[str, Any]]()
    for path in layout.all_populations():
        if is_there(path):
            with schema(path, "population"):
                found |= {each["key"]: each for each in read_json(path, "population")["individuals"]}
    return found


def _measured(config: StudyConfig) -> list[dict[str, Any]]:
    found = []
    for path in Layout(config).all_robustness():
        if is_there(path):
            content = read_json(path, "robustness")
            with schema(path, "robustness"):
                if content["status"] == "ok":
                    _ = content["key"], content["genome"], content["white_box"]["attacks"], content["test_error"]
                    _ = content["training_seed"]
                    found.append(content)
    return found
