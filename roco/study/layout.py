"""The files and jobs of a study, from its configuration alone, before any job has run.

The rules take inputs, outputs, logs and benchmarks from here, and so do `roco status` and `roco plan`.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from roco.config import StudyConfig
from roco.files import is_there
from roco.networks.settings import SplitName
from roco.runtime import progress_file
from roco.study.files import ADVERSARIAL, INITIAL, JOB_NAMES, REFERENCES, STANDARD, File, filled, in_words

SPLITS: tuple[SplitName, ...] = ("validation", "test")
NORMS = ("l0", "linf")

Wildcards = Mapping[str, str | int]


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes:
        rule: its name in rules/.
        wildcards: of its rule, by name.
        output: a file that exists if and only if the job is done.
        log: its log file.
        networks: how many networks it trains; 0 for rules that train a single network or none.
    """

    rule: str
    wildcards: Wildcards = field(hash=False)
    output: Path
    log: Path
    networks: int = 0

    @property
    def done(self) -> bool:
        """Whether its output exists."""
        return is_there(self.output)

    @property
    def progress(self) -> Path:
        """Its progress file."""
        return progress_file(self.log)

    @property
    def title(self) -> str:
        """Its wildcards in words; its rule if it has no wildcards."""
        return in_words(self.wildcards) or self.rule

    @property
    def search(self) -> str:
        """Its search; empty if it belongs to none."""
        return str(self.wildcards.get("search", ""))

    @property
    def generation(self) -> int:
        """The generation of a search that it evaluates."""
        return int(self.wildcards.get("generation", 0))


@dataclass(frozen=True)
class Layout:
    """The files of a study."""

    config: StudyConfig

    @cached_property
    def folder(self) -> str:
        """The folder of the experiment."""
        return self.config.folder

    # -----------------------------------------------------------------------------------------------------------
    # Paths; wildcards without a value stay in braces, for rules

    def path(self, file: File, **wildcards: object) -> str:
        """A file."""
        return f"{self.folder}/{file.at(**wildcards)}"

    def log(self, rule: str, **wildcards: object) -> str:
        """The log of a rule's job."""
        return f"{self.folder}/logs/{filled(JOB_NAMES[rule], wildcards)}.log"

    def benchmark(self, rule: str) -> str:
        """The file for Snakemake's measurements of a rule's jobs: seconds, memory, input and output, CPU."""
        return f"{self.folder}/benchmarks/{JOB_NAMES[rule]}.tsv"

    def target_folder(self, split: SplitName) -> str:
        """The folder, within the study's, of the networks that a split's adversarial images are made from."""
        return "test_targets" if split == "test" and self.config.targets.test is not None else "targets"

    def target_metrics(self) -> list[str]:
        """The measurements of all targets, the search's targets first."""
        return [str(job.output) for job in self._targets()]

    def target_networks(self, split: SplitName) -> list[str]:
        """The networks that a split's adversarial images are made from."""
        folder, names = self.target_folder(split), self.config.targets.architectures(split)
        return [self.path(File.TARGET_NETWORK, targets=folder, target=name) for name in names]

    def adversarial_cells(self, split: SplitName) -> list[str]:
        """The adversarial images of a split: one file per target, norm and threshold."""
        parts = (self.config.targets.architectures(split), NORMS, self.config.adversarial.thresholds)
        return [
            self.path(File.ADVERSARIAL_CELL, split=split, target=target, norm=norm, threshold=threshold)
            for target, norm, threshold in itertools.product(*parts)
        ]

    def population(self, search: str, seed: int | str, generation: int | str) -> str:
        """The survivors of a generation."""
        return self.path(File.POPULATION, search=search, seed=seed, generation=generation)

    def parents(self, search: str, seed: int | str, generation: int | str) -> list[str]:
        """The population before a generation; none for the first."""
        return [self.population(search, seed, int(generation) - 1)] if int(generation) else []

    def genomes(self, search: str, seed: int | str, generation: int | str) -> str:
        """The genomes of a generation; all searches of a seed share those of the first."""
        search = search if int(generation) else INITIAL
        return self.path(File.GENOMES, search=search, seed=seed, generation=generation)

    def shards(self, search: str, seed: int | str, generation: int | str) -> list[str]:
        """The evaluation files of a generation; all searches of a seed share those of the first."""
        jobs = self._shards(search if int(generation) else INITIAL, int(seed), int(generation))
        return [str(job.output) for job in jobs]

    def front(self, search: str, seed: int | str) -> str:
        """The front of a search and seed."""
        return self.path(File.FRONT, search=search, seed=seed)

    def of_a_front(self, file: File, *, slots: int) -> list[str]:
        """A file of each training of a front's networks; the way of training, search and seed stay open."""
        return [self.path(file, **training) for training in self.trainings(slots=slots)]

    def trainings(self, *, slots: int) -> list[Wildcards]:
        """Slot and training seed of each training of a front's networks."""
        seeds = self.config.retraining.seeds
        return [{"slot": slot, "training_seed": seed} for slot in range(slots) for seed in seeds]

    # -----------------------------------------------------------------------------------------------------------
    # All of a kind

    def all_seeds(self) -> list[tuple[str, int]]:
        """Each search with each of its seeds."""
        return [(search, seed) for search in self.config.search.searches for seed in self.config.seeds]

    def all_shards(self) -> list[str]:
        """The evaluation files of all generations; shared files appear once."""
        return [str(job.output) for job in self._evaluations()]

    def all_populations(self) -> list[str]:
        """The populations of all searches, seeds and generations."""
        generations = range(self.config.search.generations + 1)
        return [self.population(*search, generation) for search in self.all_seeds() for generation in generations]

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways of retraining, by their folders; all ways train the same networks."""
        return (STANDARD,) if self.config.retraining.adversarial is None else (STANDARD, ADVERSARIAL)

    def all_retrainings(self, way: str = STANDARD) -> list[Wildcards]:
        """The wildcards of all retrainings of a way: of each future front, and of the published networks."""
        return [wildcards for front in self._fronts() for wildcards in front if wildcards["retrained"] == way]

    def all_of_retrainings(self, file: File, way: str = STANDARD) -> list[str]:
        """A file of each retraining of a way; none if the study does not train that way."""
        return [self.path(file, **wildcards) for wildcards in self.all_retrainings(way)]

    def all_robustness(self, way: str = STANDARD) -> list[str]:
        """The measurements of all networks that were retrained in a way."""
        return self.all_of_retrainings(File.ROBUSTNESS, way)

    # -----------------------------------------------------------------------------------------------------------
    # Jobs

    def jobs(self) -> Iterator[Job]:
        """The jobs that take long, and the page at the end, in the order of the workflow."""
        yield self._job("dataset", File.DATASET, {})
        yield from self._targets()
        largest = self.config.adversarial.thresholds[-1]
        for split in SPLITS:
            for target in self.config.targets.architectures(split):
                for norm in NORMS:
                    of_rule: Wildcards = {"split": split, "target": target, "norm": norm}
                    yield self._job("adversarial_cells", File.ADVERSARIAL_CELL, of_rule, threshold=largest)
        yield from self._evaluations()
        for front in self._fronts():
            of_rule = {name: front[-1][name] for name in ("retrained", "search", "seed")}
            yield self._job("retrain", File.RETRAINING, of_rule, networks=len(front), **front[-1])
        for wildcards in itertools.chain.from_iterable(map(self.all_retrainings, self.ways)):
            yield self._job("robustness", File.ROBUSTNESS, wildcards)
        yield self._job("report_page", File.PAGE, {})

    def _targets(self) -> Iterator[Job]:
        # If both splits have the same targets, those of the first.
        splits = {self.target_folder(split): split for split in reversed(SPLITS)}
        for folder, split in reversed(splits.items()):
            for name in self.config.targets.architectures(split):
                yield self._job("target", File.TARGET_METRICS, {"targets": folder, "target": name})

    def _evaluations(self) -> Iterator[Job]:
        for seed in self.config.seeds:
            yield from self._shards(INITIAL, seed, 0)
        for search, seed in self.all_seeds():
            for generation in range(1, self.config.search.generations + 1):
                yield from self._shards(search, seed, generation)

    def _shards(self, search: str, seed: int, generation: int) -> Iterator[Job]:
        genomes = self.config.search.offspring if generation else self.config.search.population
        size = self.config.evaluation.genomes_per_job
        for shard, first in enumerate(range(0, genomes, size)):
            of_rule: Wildcards = {"search": search, "seed": seed, "generation": generation, "shard": shard}
            yield self._job("evaluate", File.EVALUATIONS, of_rule, networks=min(size, genomes - first))

    def _fronts(self) -> Iterator[list[Wildcards]]:
        """The wildcards of each front's trainings, for each way, and for as many networks as the front may have."""
        fronts = [(*each, self.config.slots) for each in self.all_seeds() if each[0] in self.config.retrained_searches]
        if published := len(self.config.retraining.references):
            fronts.append((REFERENCES, self.config.seeds[0], published))
        for way, (search, seed, slots) in itertools.product(self.ways, fronts):
            of_front: Wildcards = {"retrained": way, "search": search, "seed": seed}
            yield [{**of_front, **training} for training in self.trainings(slots=slots)]

    def _job(self, rule: str, file: File, wildcards: Wildcards, *, networks: int = 0, **others: object) -> Job:
        """A job of a rule; `others` are wildcards of its output that the rule does not have."""
        output = Path(self.path(file, **{**wildcards, **others}))
        return Job(rule, wildcards, output, Path(self.log(rule, **wildcards)), networks)
