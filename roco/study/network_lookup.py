"""Looks up the networks of a study by key, name or genome, with their measurements so far."""

from collections.abc import Iterator
from dataclasses import dataclass

from roco.config import StudyConfig
from roco.errors import ConfigError, GenomeError
from roco.files import is_there
from roco.retraining.records import MeasuredNetwork, read_robustness
from roco.search.records import Individual, Population
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES
from roco.study.layout import Layout


@dataclass(frozen=True)
class KnownNetwork:
    """A network of a study.

    Attributes:
        genome: its genome.
        individual: its entry in a population; None if no search of the study had it.
        retrainings: the measurements of its retrainings, one per training seed.
    """

    genome: Genome
    individual: Individual | None
    retrainings: tuple[MeasuredNetwork, ...]


def last_population(config: StudyConfig, search: str, seed: int) -> Population | None:
    """The last population of a search; None before the first.

    Raises:
        ConfigError: the configuration has no such search or seed.
    """
    if search not in config.search.searches:
        raise ConfigError(f"{search}: expected one of {', '.join(config.search.searches)}")
    if seed not in config.seeds:
        raise ConfigError(f"seed {seed}: expected one of {', '.join(map(str, config.seeds))}")
    for generation in reversed(range(config.search.generations + 1)):
        path = Layout(config).population(search, seed, generation)
        if is_there(path):
            return Population.load(path)
    return None


def look_up(config: StudyConfig, name: str) -> KnownNetwork:
    """The network of a key (or the beginning of a key), a published name or a genome's text.

    Raises:
        ConfigError: no network of the study has this key, or several have.
    """
    individuals = {each.key: each for each in _individuals(config)}
    retrainings = list(_retrainings(config))
    if name in PUBLISHED_GENOMES or "-" in name:
        try:
            genome = Genome.parse(PUBLISHED_GENOMES.get(name, name))
        except GenomeError as error:
            raise ConfigError(f"{name}: {error}") from None
    else:
        texts = {key: each.genome for key, each in individuals.items()}
        texts |= {each.key: each.genome for each in retrainings}
        keys = sorted(key for key in texts if key.startswith(name))
        if len(keys) != 1:
            several = f"several: {', '.join(keys[:5])}" if keys else "none"
            raise ConfigError(f"{name}: expected a network's key in {config.folder}, found {several}; see roco front")
        genome = Genome.parse(texts[keys[0]])
    # Several searches may have the network; its trainings with the same seed are equal.
    by_seed = {each.training_seed: each for each in reversed(retrainings) if each.key == genome.key}
    return KnownNetwork(genome, individuals.get(genome.key), tuple(by_seed[seed] for seed in sorted(by_seed)))


def _individuals(config: StudyConfig) -> Iterator[Individual]:
    for path in Layout(config).all_populations():
        if is_there(path):
            yield from Population.load(path).individuals


def _retrainings(config: StudyConfig) -> Iterator[MeasuredNetwork]:
    for path in Layout(config).all_robustness():
        if is_there(path) and isinstance(record := read_robustness(path), MeasuredNetwork):
            yield record
