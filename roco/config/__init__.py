"""The configuration of a study: one typed model a section, and the only place with defaults.

A default is the paper's value where the paper has one (IJCNN 2021, Section IV and Table II). Importing this package is
cheap: neither torch nor pymoo is needed to check a configuration.
"""

from roco.config.attacks import (
    BIM,
    CW,
    FGSM,
    PGD,
    AdversarialConfig,
    DeepFool,
    DifferentialEvolution,
    Greedy,
    MomentumIterative,
    ProjectedGradient,
    RandomSearch,
    RobustnessConfig,
    SparseGradient,
    WhiteBoxAttack,
)
from roco.config.reading import read_yaml
from roco.config.search import SearchConfig, SearchKind
from roco.config.section import Recipe, Section
from roco.config.study import (
    PUBLISHED_GENOMES,
    DatasetConfig,
    EvaluationConfig,
    ReportConfig,
    RetrainingConfig,
    SpaceConfig,
    StudyConfig,
    check_config,
    load_config,
)
from roco.config.targets import DenseNetConfig, LeNetConfig, ResNetConfig, TargetsConfig, VGG16Config

__all__ = [
    "BIM",
    "CW",
    "FGSM",
    "PGD",
    "PUBLISHED_GENOMES",
    "AdversarialConfig",
    "DatasetConfig",
    "DeepFool",
    "DenseNetConfig",
    "DifferentialEvolution",
    "EvaluationConfig",
    "Greedy",
    "LeNetConfig",
    "MomentumIterative",
    "ProjectedGradient",
    "RandomSearch",
    "Recipe",
    "ReportConfig",
    "ResNetConfig",
    "RetrainingConfig",
    "RobustnessConfig",
    "SearchConfig",
    "SearchKind",
    "Section",
    "SpaceConfig",
    "SparseGradient",
    "StudyConfig",
    "TargetsConfig",
    "VGG16Config",
    "WhiteBoxAttack",
    "check_config",
    "load_config",
    "read_yaml",
]
