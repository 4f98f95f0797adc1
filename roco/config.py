"""The configuration of a study: one typed model a section, and the only place with defaults.

A default is the paper's value where the paper has one (IJCNN 2021, Section IV and Table II). Importing this module is
cheap: neither torch nor pymoo is needed to check a configuration.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from roco.config_messages import one_line
from roco.errors import ConfigError, GenomeError
from roco.space.genome import Genome

Objective = Literal["error", "adversarial_error", "flops", "parameters"]
TargetName = Literal["lenet", "vgg16", "resnet", "densenet"]
NormName = Literal["l0", "linf"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]

PUBLISHED_GENOMES = {
    "paper_roco": "0010000000000000-1000101100001101-0001010111101111",
    "paper_baseline": "0010000010000000-0001100101011101-0100011100010101",
}


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values keep their types, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True)


class Recipe(Section):
    """How a network is trained: SGD with momentum, cosine schedule to zero. Defaults: the paper's search recipe."""

    epochs: Count = 25
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Positive = 0.025
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NonNegative = 3e-4
    gradient_clip: Positive | None = 5.0
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 4
    flip: bool = True
    cutout: Annotated[int, Field(ge=0)] = 0


class DatasetConfig(Section):
    """The images: which, from where, how many, and how validation images are cut from the training images."""

    name: Literal["digits", "cifar10", "cifar100", "svhn", "fashion_mnist", "npz", "image_folder"]
    path: str | None = None
    image_size: Annotated[int, Field(ge=16, le=256)] = 32
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.1
    train_images: Annotated[int, Field(ge=2)] | None = None
    test_images: Annotated[int, Field(ge=2)] | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _path_is_there(self) -> Self:
        if self.name in ("npz", "image_folder"):
            if self.path is None:
                raise ValueError(f"path: expected the {self.name} to read, got nothing")
            if not Path(self.path).exists():
                raise ValueError(f"path: expected an existing {self.name}, got '{self.path}', which is not there")
        return self


class LeNetConfig(Section):
    """LeNet-5 for colour images; `width` scales its channels."""

    width: Positive = 1.0


class VGG16Config(Section):
    """VGG-16 with batch normalisation; `width` scales its channels."""

    width: Positive = 1.0


class ResNetConfig(Section):
    """Pre-activation ResNet of depth 6 n + 2; `width` scales its channels."""

    width: Positive = 1.0
    depth: Annotated[int, Field(ge=8)] = 32

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 2) % 6:
            raise ValueError(f"depth: expected 6 n + 2 (8, 14, 20, 26, 32, ...), got {self.depth}")
        return self


class DenseNetConfig(Section):
    """DenseNet-BC of depth 6 n + 4 with three dense blocks; `growth` channels are added by each layer."""

    growth: Count = 12
    depth: Annotated[int, Field(ge=10)] = 100

    @model_validator(mode="after")
    def _depth_fits(self) -> Self:
        if (self.depth - 4) % 6:
            raise ValueError(f"depth: expected 6 n + 4 (10, 16, 22, ..., 100), got {self.depth}")
        return self


class TargetsConfig(Section):
    """The networks that the adversarial images are made from; a target set to null is left out."""

    lenet: LeNetConfig | None = LeNetConfig()
    vgg16: VGG16Config | None = VGG16Config()
    resnet: ResNetConfig | None = ResNetConfig()
    densenet: DenseNetConfig | None = DenseNetConfig()
    training: Recipe = Recipe(epochs=200, learning_rate=0.1, weight_decay=5e-4)
    seed: Seed = 0

    def architectures(self) -> dict[str, LeNetConfig | VGG16Config | ResNetConfig | DenseNetConfig]:
        """The targets that are used, by name, in the order of the paper's Table I."""
        chosen = {"densenet": self.densenet, "lenet": self.lenet, "resnet": self.resnet, "vgg16": self.vgg16}
        return {name: architecture for name, architecture in chosen.items() if architecture is not None}

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.architectures():
            raise ValueError("expected at least one target that is not null, got none")
        return self


class DifferentialEvolution(Section):
    """L0 by differential evolution over (x, y, r, g, b) of k pixels (Su et al. 2019; Kotyan and Vargas 2022)."""

    method: Literal["differential_evolution"] = "differential_evolution"
    population: Annotated[int, Field(ge=4)] = 100
    steps: Count = 100


class RandomSearch(Section):
    """L0 by random search over pixel sets with corner colours (Sparse-RS, Croce et al. 2022)."""

    method: Literal["random_search"] = "random_search"
    queries: Count = 1000
    margin: NonNegative = 5.0


class ProjectedGradient(Section):
    """Linf by projected gradient with restarts (Madry et al. 2018), run to its end."""

    method: Literal["pgd"] = "pgd"
    steps: Count = 40
    restarts: Count = 1


class MomentumIterative(Section):
    """Linf by the momentum iterative method (Dong et al. 2018), run to its end: made to transfer."""

    method: Literal["mifgsm"] = "mifgsm"
    steps: Count = 20
    decay: NonNegative = 1.0


class AdversarialConfig(Section):
    """The adversarial sets: images attacked per cell (target, norm, threshold), and how."""

    images: Count = 1000
    thresholds: Annotated[list[Annotated[int, Field(ge=1, le=255)]], Field(min_length=1)] = [1, 3, 5, 10]
    l0_attack: Annotated[DifferentialEvolution | RandomSearch, Field(discriminator="method")] = RandomSearch()
    linf_attack: Annotated[ProjectedGradient | MomentumIterative, Field(discriminator="method")] = ProjectedGradient()
    seed: Seed = 0

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds: expected different values in rising order, got {self.thresholds}")
        return self


class SpaceConfig(Section):
    """The search space: phases of nodes, and the decoder (paper, Section III)."""

    phases: Annotated[int, Field(ge=1, le=5)] = 3
    nodes: Annotated[int, Field(ge=2, le=8)] = 6
    stem_padding: Literal[0, 1] = 0


class SearchConfig(Section):
    """NSGA-II: the searches by name with their objectives, and their common settings (paper, Algorithm 1, Table II)."""

    searches: Annotated[dict[Name, list[Objective]], Field(min_length=1)] = {
        "baseline": ["error", "flops"],
        "roco": ["error", "flops", "adversarial_error"],
    }
    population: Annotated[int, Field(ge=2)] = 40
    offspring: Annotated[int, Field(ge=1)] = 40
    generations: Annotated[int, Field(ge=0)] = 20
    variation: Literal["phase_wise", "nsga_net"] = "phase_wise"
    crossover_probability: Annotated[float, Field(ge=0, le=1)] = 0.9
    population_0: list[str] = []

    @model_validator(mode="after")
    def _searches_make_sense(self) -> Self:
        for name, objectives in self.searches.items():
            if name == "initial":
                raise ValueError("searches: expected another name than 'initial', which the first population has")
            if not objectives or len(set(objectives)) != len(objectives):
                raise ValueError(f"searches.{name}: expected different objectives, at least one, got {objectives}")
        return self


class EvaluationConfig(Section):
    """How a genome is judged in the search, and how genomes are packed into jobs."""

    channels: Count = 16
    training: Recipe = Recipe()
    genomes_per_job: Count = 8
    workers: Count = 8


class RetrainingConfig(Section):
    """How the networks of the final fronts are trained (paper, Section IV)."""

    channels: Count = 32
    training: Recipe = Recipe(epochs=120, cutout=16)
    networks: Count | Literal["all"] = "all"
    validation_images_too: bool = True
    references: list[str] = []
    seed: Seed = 0


class FGSM(Section):
    """Fast gradient sign method; `eps` in 1/255."""

    method: Literal["fgsm"]
    eps: Positive


class BIM(Section):
    """Basic iterative method; `eps` and `alpha` (step) in 1/255."""

    method: Literal["bim"]
    eps: Positive
    alpha: Positive
    steps: Count


class PGD(Section):
    """Projected gradient descent from a random start; `eps` and `alpha` (step) in 1/255."""

    method: Literal["pgd"]
    eps: Positive
    alpha: Positive
    steps: Count
    restarts: Count = 1


class DeepFool(Section):
    """DeepFool (smallest L2 perturbation by linearisation)."""

    method: Literal["deepfool"]
    steps: Count = 50
    overshoot: Positive = 0.02


class CW(Section):
    """Carlini and Wagner's L2 attack with a fixed trade-off `c`."""

    method: Literal["cw"]
    c: Positive = 1.0
    kappa: NonNegative = 0.0
    steps: Count = 50
    learning_rate: Positive = 0.01


WhiteBoxAttack = Annotated[FGSM | BIM | PGD | DeepFool | CW, Field(discriminator="method")]
AttackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([_.][a-z0-9]+)*$")]


class RobustnessConfig(Section):
    """The white-box attacks on retrained networks, by name, and on how many test images."""

    images: Count = 1000
    attacks: Annotated[dict[AttackName, WhiteBoxAttack], Field(min_length=1)] = {
        "fgsm_0.1": FGSM(method="fgsm", eps=25.5),
        "fgsm_0.2": FGSM(method="fgsm", eps=51.0),
        "fgsm_0.3": FGSM(method="fgsm", eps=76.5),
        "bim": BIM(method="bim", eps=1.0, alpha=0.25, steps=10),
        "pgd": PGD(method="pgd", eps=1.0, alpha=0.25, steps=10),
        "deepfool": DeepFool(method="deepfool"),
        "cw": CW(method="cw"),
    }
    seed: Seed = 0


class ReportConfig(Section):
    """What the tables compare: the N lightest retrained networks of each search (paper, Tables III and IV)."""

    top: Annotated[list[Count], Field(min_length=1)] = [1, 3, 5]


class StudyConfig(Section):
    """A whole study."""

    experiment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    results: Annotated[str, Field(min_length=1)] = "results"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
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
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds: expected different seeds, got {self.seeds}")
        if len(self.search.population_0) > self.search.population:
            raise ValueError(
                f"search.population_0: expected at most {self.search.population} genomes (search.population), "
                f"got {len(self.search.population_0)}"
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
        return f"{self.results}/{self.experiment}"

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
        return StudyConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError(f"{source}: {one_line(error, StudyConfig)}") from None


def load_config(path: str | Path) -> StudyConfig:
    """The validated configuration in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or is not valid.
    """
    try:
        raw = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(raw).__name__}")
    return check_config(raw, source=str(path))
