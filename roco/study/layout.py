"""Where the files of a study are and how many there are, from its configuration alone: its jobs, before any has run.

The Snakefile, `roco status` and `roco plan` count by this. What is in the files is known to those that write them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roco.config import StudyConfig
from roco.files import is_there
from roco.networks.settings import SplitName

# Published networks are retrained once, under the first seed.
REFERENCES = "references"
INITIAL = "initial"
SPLITS: tuple[SplitName, ...] = ("validation", "test")
NORMS = ("l0", "linf")


def retrained_folder(search: str, seed: int | str, slot: int, training_seed: int) -> str:
    """The folder of one training of a network of a front, from the study's folder."""
    return f"retrained/{search}/seed_{seed}/slot_{slot:03d}/training_{training_seed}"


def retrained_place(path: str | Path) -> tuple[str, int, int, int]:
    """Search, seed, slot and training seed of a file in the folder of a training."""
    *_, search, seed, slot, training, _ = Path(path).parts
    return search, *(int(part.partition("_")[2]) for part in (seed, slot, training))  # type: ignore[return-value]


@dataclass(frozen=True)
class Job:
    """A step of the workflow.

    Attributes:
        rule: its name in rules/.
        place: its wildcards in words, such as `roco seed 0 generation 2`; empty where a rule has one job.
        output: a file that is there when the job is done, and not before.
        log: its log file.
        search: the search that it belongs to, if any.
        networks: how many networks it trains, where it can train many.
        generation: of a search, which it evaluates.
    """

    rule: str
    place: str
    output: Path
    log: Path
    search: str = ""
    networks: int = 0
    generation: int = 0

    @property
    def done(self) -> bool:
        """Whether its output is there."""
        return is_there(self.output)


@dataclass(frozen=True)
class Layout:
    """The files of a study."""

    config: StudyConfig

    @property
    def folder(self) -> str:
        """The folder of the experiment."""
        return self.config.folder

    def target_folder(self, split: SplitName) -> str:
        """The folder of the networks that a split's adversarial images are made from, from the study's folder."""
        return "test_targets" if split == "test" and self.config.targets.test is not None else "targets"

    def target_metrics(self) -> list[str]:
        """The measurements of all targets, those of the search first."""
        return [str(job.output) for job in self._targets()]

    def all_seeds(self) -> list[tuple[str, int]]:
        """Each search with each of its seeds."""
        return [(search, seed) for search in self.config.search.searches for seed in self.config.seeds]

    def search_folder(self, search: str, seed: int | str) -> str:
        """The folder of a search and seed."""
        return f"{self.folder}/search/{search}/seed_{seed}"

    def generation_folder(self, search: str, seed: int | str, generation: int | str) -> str:
        """The folder of a generation."""
        return f"{self.search_folder(search, seed)}/generation_{int(generation):03d}"

    def population(self, search: str, seed: int | str, generation: int | str) -> str:
        """The survivors of a generation."""
        return f"{self.generation_folder(search, seed, generation)}/population.json"

    def shards(self, search: str, seed: int | str, generation: int | str) -> list[str]:
        """The evaluation files of a generation; the first one's are shared by all searches of a seed."""
        first = int(generation) == 0
        folder = self.generation_folder(INITIAL if first else search, seed, generation)
        count = -(-self.genomes_of_generation(int(generation)) // self.config.evaluation.genomes_per_job)
        return [f"{folder}/evaluations/shard_{shard:03d}.json" for shard in range(count)]

    def genomes_of_generation(self, generation: int) -> int:
        """How many genomes a generation evaluates at most."""
        return self.config.search.offspring if generation else self.config.search.population

    def front(self, search: str, seed: int | str) -> str:
        """The front of a search and seed."""
        return f"{self.search_folder(search, seed)}/front.json"

    def all_shards(self) -> list[str]:
        """Of all generations, the shared ones once."""
        first = [path for seed in self.config.seeds for path in self.shards(INITIAL, seed, 0)]
        later = [
            path
            for search, seed in self.all_seeds()
            for generation in range(1, self.config.search.generations + 1)
            for path in self.shards(search, seed, generation)
        ]
        return first + later

    def all_populations(self) -> list[str]:
        """Of all searches, seeds and generations."""
        generations = range(self.config.search.generations + 1)
        return [self.population(*place, generation) for place in self.all_seeds() for generation in generations]

    def all_retrainings(self) -> list[tuple[str, int, int, int]]:
        """Search, seed, slot and training seed of all retrainings: of each front that is to be, and the published."""
        places = [place for place in self.all_seeds() if place[0] in self.config.retrained_searches]
        slots = [(*place, slot) for place in places for slot in range(self.config.slots)]
        published = range(len(self.config.retraining.references))
        slots += [(REFERENCES, self.config.seeds[0], slot) for slot in published]
        return [(*slot, training_seed) for slot in slots for training_seed in self.config.retraining.seeds]

    def retrained(self, search: str, seed: int | str, slot: int, training_seed: int) -> str:
        """The folder of a retrained network."""
        return f"{self.folder}/{retrained_folder(search, seed, slot, training_seed)}"

    def all_robustness(self) -> list[str]:
        """The measurements of all retrained networks."""
        return [f"{self.retrained(*place)}/robustness.json" for place in self.all_retrainings()]

    def jobs(self) -> Iterator[Job]:
        """The steps that take long, and the page at the end, in the order of the workflow."""
        yield self._job("dataset", "", "dataset.h5", "dataset.log")
        yield from self._targets()
        largest = self.config.adversarial.thresholds[-1]
        for split in SPLITS:
            for target in self.config.targets.architectures(split):
                for norm in NORMS:
                    folder = f"adversarial/{split}/{target}"
                    place = f"{target}, {norm}, {split} images"
                    yield self._job("adversarial_cells", place, f"{folder}/{norm}_{largest}.h5", f"{folder}/{norm}.log")
        yield from self._evaluations()
        yield from self._retrainings()
        for search, seed, slot, training_seed in self.all_retrainings():
            folder = retrained_folder(search, seed, slot, training_seed)
            place = f"{search}, seed {seed}, network {slot + 1}"
            place += f", training seed {training_seed}" if len(self.config.retraining.seeds) > 1 else ""
            files = (f"{folder}/robustness.json", f"{folder}/robustness.log")
            yield self._job("robustness", place, *files, search=search)
        yield self._job("report_page", "", "report.html", "report_page.log")

    def _targets(self) -> Iterator[Job]:
        # Of the first split that has them, where both have the same.
        splits = {self.target_folder(split): split for split in reversed(SPLITS)}
        for folder, split in reversed(splits.items()):
            for name in self.config.targets.architectures(split):
                place = name if split == "validation" else f"{name}, for test images"
                yield self._job("target", place, f"{folder}/{name}/metrics.json", f"{folder}/{name}.log")

    def _retrainings(self) -> Iterator[Job]:
        """A job for each front; its networks count as they are, slots past a front's end included."""
        fronts: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for search, seed, *training in self.all_retrainings():
            fronts.setdefault((search, seed), []).append((training[0], training[1]))
        for (search, seed), trainings in fronts.items():
            last = retrained_folder(search, seed, *trainings[-1])
            log = f"retrained/{search}/seed_{seed}/training.log"
            files = (f"{last}/training.json", log)
            yield self._job("retrain", f"{search}, seed {seed}", *files, search=search, networks=len(trainings))

    def _evaluations(self) -> Iterator[Job]:
        size = self.config.evaluation.genomes_per_job
        for path in self.all_shards():
            search, seed, generation, _, shard = Path(path).relative_to(f"{self.folder}/search").with_suffix("").parts
            number, first = int(generation.removeprefix("generation_")), size * int(shard.removeprefix("shard_"))
            yield self._job(
                "evaluate",
                f"{search}, {seed.replace('_', ' ')}, generation {number}",
                str(Path(path).relative_to(self.folder)),
                f"search/{search}/{seed}/{generation}/{shard}.log",
                search=search,
                networks=min(size, self.genomes_of_generation(number) - first),
                generation=number,
            )

    def _job(
        self, rule: str, place: str, output: str, log: str, *, search: str = "", networks: int = 0, generation: int = 0
    ) -> Job:
        folder = Path(self.folder)
        return Job(rule, place, folder / output, folder / "logs" / log, search, networks, generation)
