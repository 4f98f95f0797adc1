"""The configuration of a whole study, and how it is read and checked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from roco.config.attacks import AdversarialConfig
from roco.config.levels import WRITTEN
from roco.config.messages import one_line
from roco.config.paths import PlainPath, plain_path
from roco.config.reading import read_yaml
from roco.config.search import SearchConfig
from roco.config.section import Count, Name, Positive, Recipe, Section, Seed, Seeds, kept_from
from roco.config.targets import TargetsConfig
from roco.config.white_box import RobustnessConfig
from roco.errors import ConfigError, GenomeError
from roco.objectives import parse
from roco.space.complexity import NodeKind, channels_in_words
from roco.space.genome import Genome

PUBLISHED_GENOMES = {
    "paper_roco": "0010000000000000-1000101100001101-0001010111101111",
    "paper_baseline": "0010000010000000-0001100101011101-0100011100010101",
}

# The two places where a genome becomes a network; each has widths, and a recipe to train it by.
Part = Literal["evaluation", "retraining"]

# Of the first active phase, or of each in order.
Widths = Count | Annotated[list[Count], Field(min_length=1)]

# The name of the folder beside those of the experiments.
STORE = "store"


class DatasetConfig(Section):
    """The images: which, from where, how many, and how validation images are cut from the training images."""

    name: Literal["digits", "cifar10", "cifar100", "svhn", "fashion_mnist", "npz", "image_folder"]
    path: PlainPath | None = None
    image_size: Annotated[int, Field(ge=16, le=256)] = 32
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    train_images: Annotated[int, Field(ge=2)] | None = None
    test_images: Annotated[int, Field(ge=2)] | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _path_is_there(self) -> Self:
        if self.name in ("npz", "image_folder"):
            if self.path is None:
                raise ValueError(f"path: expected the {self.name} to read, got nothing")
            if not os.path.exists(self.path):  # noqa: PTH110 (Path.exists raises for a name that is too long)
                raise ValueError(f"path: expected an existing {self.name}, got '{self.path}', which is not there")
        return self

    @property
    def title(self) -> str:
        """What readers know the images by: one's own file or folder by its name, others by theirs."""
        return Path(self.path).absolute().name if self.path and self.name in ("npz", "image_folder") else self.name


class SpaceConfig(Section):
    """The search space: phases of nodes, and the decoder (paper, Section III)."""

    phases: Annotated[int, Field(ge=1, le=5)] = 3
    nodes: Annotated[int, Field(ge=2, le=8)] = 6
    stem_padding: Literal[0, 1] = 0
    node: NodeKind = "residual"


class EvaluationConfig(Section):
    """How a genome is judged in the search, and how genomes are packed into jobs."""

    channels: Widths = 16
    training: Recipe = Recipe()
    genomes_per_job: Count = 40
    processes: Count = 8
    largest_stack: Count = 40
    time_limit_minutes: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_are_todays(cls, raw: Any) -> Any:
        """Says what to write to whoever has a configuration of an earlier version."""
        if isinstance(raw, Mapping) and "workers" in raw:
            raise ValueError("workers: write 'processes' (on a CPU) and 'largest_stack' (on a GPU) instead")
        if isinstance(raw, Mapping) and "halving" in raw:
            raise ValueError("halving: was removed, as it saved little and could change a front; leave it out")
        return raw


RETRAINING_RECIPE = Recipe(epochs=120, cutout=16)


class RetrainingConfig(Section):
    """How the networks of the final fronts are trained (paper, Section IV)."""

    channels: Widths = 32
    node: NodeKind | None = None
    training: Annotated[Recipe, kept_from(RETRAINING_RECIPE)] = RETRAINING_RECIPE
    networks: Count | Literal["all"] = "all"
    searches: Annotated[list[Name], Field(min_length=1)] | Literal["all"] = "all"
    validation_images_too: bool = True
    references: Annotated[list[str], Field(max_length=1000)] = []
    seeds: Seeds = [0]
    processes: Count = 8
    largest_stack: Count = 40

    @model_validator(mode="before")
    @classmethod
    def _has_seeds(cls, raw: Any) -> Any:
        """Says what to write to whoever has a configuration of the time when each network was trained once."""
        if isinstance(raw, Mapping) and "seed" in raw:
            seed = raw["seed"] if isinstance(raw["seed"], int) else 0
            raise ValueError(f"seed: is a list of seeds now, a training for each; write 'seeds: [{seed}]' instead")
        return raw


class MainComparison(Section):
    """The one comparison that decides the report's first sentence; what is left out is chosen by a rule.

    Attributes:
        search: the search that is judged; null: the first with the adversarial objective.
        reference: the search that it is compared with; null: the first without that objective.
        networks: pairs at equal FLOPs, interpolated fronts, or so many of the lightest; null: chosen by FLOPs alone.
        measure: an attack's name, `test`, `adversarial_set`, or a radius of the curve in 1/255; null: the radius at
            which the networks of both searches together have nearest to half of the images right, or without a curve
            the strongest attack that tells networks apart.
    """

    search: Name | None = None
    reference: Name | None = None
    networks: Literal["equal_flops", "interpolated"] | Count | None = None
    measure: Positive | str | None = None


class ReportConfig(Section):
    """What the tables compare: the N lightest retrained networks of each search (paper, Tables III and IV)."""

    top: Annotated[list[Count], Field(min_length=1)] = [1, 3, 5]
    main: MainComparison = MainComparison()


class StudyConfig(Section):
    """A whole study."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    # Braces are wildcards to Snakemake.
    results: Annotated[
        str, Field(min_length=1), AfterValidator(plain_path), Field(pattern=r"^[^{}\x00-\x1f\x7f]*$")
    ] = "results"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seeds: Seeds = [0]
    dataset: DatasetConfig
    targets: TargetsConfig = TargetsConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    space: SpaceConfig = SpaceConfig()
    search: SearchConfig = SearchConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    retraining: RetrainingConfig = RetrainingConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.experiment == STORE:
            raise ValueError(f"experiment: expected another name than '{STORE}', whose folder holds something else")
        if len(self.search.population_0) > self.search.population:
            raise ValueError(
                f"search.population_0: expected at most {self.search.population} genomes (search.population), "
                f"got {len(self.search.population_0)}"
            )
        self._check_selections()
        self._check_widths()
        self._check_main()
        unknown = [name for name in self.retrained_searches if name not in self.search.searches]
        if unknown:
            raise ValueError(
                f"retraining.searches: expected some of {', '.join(self.search.searches)}, got '{unknown[0]}'"
            )
        smallest = 2 ** (self.space.phases + 1)
        if self.dataset.image_size < smallest:
            raise ValueError(
                f"dataset.image_size: expected at least {smallest} for {self.space.phases} phases, "
                f"got {self.dataset.image_size}"
            )
        for key, names in (
            ("search.population_0", self.search.population_0),
            ("retraining.references", self.retraining.references),
        ):
            for name in names:
                self.genome_of(name, key=key)
        return self

    def _check_widths(self) -> None:
        """Raises ValueError for widths of more or fewer phases than there are."""
        for name, section in (("evaluation", self.evaluation), ("retraining", self.retraining)):
            if isinstance(section.channels, list) and len(section.channels) != self.space.phases:
                raise ValueError(
                    f"{name}.channels: expected a width for each of {self.space.phases} phases (space.phases), "
                    f"got {section.channels}"
                )

    def _check_main(self) -> None:
        """Raises ValueError for a main comparison of what the study does not have."""
        main, curve = self.report.main, self.robustness.curve
        radii: list[float] = curve.radii if curve else []
        known: dict[str, list[Any]] = {
            "search": self.retrained_searches,
            "reference": [name for name in self.retrained_searches if name != main.search],
            "networks": ["equal_flops", "interpolated", *self.report.top],
            "measure": ["test", "adversarial_set", *self.robustness.with_budget, *radii],
        }
        for key, allowed in known.items():
            if (got := getattr(main, key)) is not None and got not in allowed:
                expected = ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in allowed)
                raise ValueError(f"report.main.{key}: expected one of {expected}, got '{got}'")

    def _check_selections(self) -> None:
        """Raises ValueError for an objective on a target or threshold that the study does not have."""
        known: dict[str, list[Any]] = {
            "target": list(self.targets.architectures()),
            "threshold": self.adversarial.thresholds,
        }
        for name, kind in self.search.searches.items():
            for text in kind.objectives:
                for key, value in parse(text)[1].items():
                    if key in known and value not in known[key]:
                        expected = ", ".join(map(str, known[key]))
                        raise ValueError(
                            f"search.searches.{name}.objectives: expected a {key} of {expected}, got '{text}'"
                        )

    def genome_of(self, name: str, *, key: str) -> Genome:
        """The genome of a published name (`paper_roco`, `paper_baseline`) or of a genome text.

        Raises:
            ValueError: neither; the message begins with `key`.
        """
        text = PUBLISHED_GENOMES.get(name, name)
        try:
            return Genome.parse(text, phases=self.space.phases, nodes=self.space.nodes)
        except GenomeError as error:
            raise ValueError(f"{key}: expected {', '.join(PUBLISHED_GENOMES)} or a genome; {error}") from None

    @property
    def folder(self) -> str:
        """The folder of the experiment's results."""
        return str(Path(self.results) / self.experiment)

    @property
    def store(self) -> str:
        """The folder of finished work by its content, which the experiments of one results folder share."""
        return str(Path(self.results) / STORE)

    @property
    def retrained_searches(self) -> list[str]:
        """The searches whose fronts are retrained."""
        chosen = self.retraining.searches
        return list(self.search.searches) if chosen == "all" else list(chosen)

    def node_of(self, part: Part) -> NodeKind:
        """What a node computes in the search (`evaluation`) or when its networks are retrained (`retraining`)."""
        return self.space.node if part == "evaluation" else self.retraining.node or self.space.node

    def width_in_words(self, part: Part) -> str:
        """How wide networks are there, with the kind of node where the study has another than the paper's."""
        words, node = channels_in_words(getattr(self, part).channels), self.node_of(part)
        usual = {self.node_of("evaluation"), self.node_of("retraining")} == {"residual"}
        return words if usual else f"{words}, {node} nodes"

    @property
    def slots(self) -> int:
        """How many networks of one front are retrained at most."""
        networks = self.retraining.networks
        return self.search.population if networks == "all" else min(networks, self.search.population)


def check_config(raw: Mapping[str, Any], *, source: str = "configuration") -> StudyConfig:
    """The validated configuration from plain data.

    Raises:
        ConfigError: one line that names the source, the key, what was expected and what came.
    """
    try:
        return StudyConfig.model_validate(dict(raw), context=WRITTEN)
    except ValidationError as error:
        raise ConfigError(f"{source}: {one_line(error, StudyConfig)}") from None


def load_config(path: str | Path) -> StudyConfig:
    """The validated configuration in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, gives a key twice, or is not valid.
    """
    return check_config(read_yaml(path), source=str(path))
