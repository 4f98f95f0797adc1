"""The configuration of a whole study, and how it is read and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from roco.attacks.settings import AdversarialConfig, RobustnessConfig
from roco.config.messages import one_line
from roco.config.reading import read_yaml
from roco.config.report_settings import ReportConfig
from roco.data.settings import DatasetConfig
from roco.errors import ConfigError, GenomeError
from roco.networks.settings import TargetsConfig
from roco.networks.spec import DecoderSettings
from roco.retraining.settings import RetrainingConfig
from roco.search.objectives import parse
from roco.search.settings import EvaluationConfig, SearchConfig
from roco.settings import Section, Seeds
from roco.settings.levels import WRITTEN
from roco.settings.paths import plain_path
from roco.space.complexity import NodeKind, channels_in_words
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES, SpaceConfig

# The two sections that decide how wide a genome's network is and how it is trained.
Part = Literal["evaluation", "retraining"]

# The name of the store's folder, which lies beside the folders of experiments.
STORE = "store"


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
        """Raises ValueError unless there are as many widths as phases."""
        for name, section in (("evaluation", self.evaluation), ("retraining", self.retraining)):
            if isinstance(section.channels, list) and len(section.channels) != self.space.phases:
                raise ValueError(
                    f"{name}.channels: expected a width for each of {self.space.phases} phases (space.phases), "
                    f"got {section.channels}"
                )

    def _check_main(self) -> None:
        """Raises ValueError if the main comparison names something that the study does not have."""
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
                expected = ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in allowed)
                raise ValueError(f"report.main.{key}: expected one of {expected}, got '{got}'")

    def _check_selections(self) -> None:
        """Raises ValueError if an objective names a target or threshold that the study does not have."""
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
        """The folder of the store of finished work, which all experiments of a results folder share."""
        return str(Path(self.results) / STORE)

    @property
    def retrained_searches(self) -> list[str]:
        """The searches whose fronts are retrained."""
        chosen = self.retraining.searches
        return list(self.search.searches) if chosen == "all" else list(chosen)

    def node_of(self, part: Part) -> NodeKind:
        """The kind of nodes in the search (`evaluation`) or in retraining."""
        return self.space.node if part == "evaluation" else self.retraining.node or self.space.node

    def decoder_of(self, part: Part) -> DecoderSettings:
        """How genomes are decoded in the search or in retraining."""
        channels = getattr(self, part).channels
        return DecoderSettings(channels=channels, stem_padding=self.space.stem_padding, node=self.node_of(part))

    def width_in_words(self, part: Part) -> str:
        """The width of the networks in that section; with the kind of nodes unless all nodes are the paper's."""
        words, node = channels_in_words(getattr(self, part).channels), self.node_of(part)
        usual = {self.node_of("evaluation"), self.node_of("retraining")} == {"residual"}
        return words if usual else f"{words}, {node} nodes"

    @property
    def slots(self) -> int:
        """The largest number of retrained networks per front."""
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
