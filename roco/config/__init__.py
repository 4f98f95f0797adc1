"""The configuration of a study: one typed model a section, and the only place with defaults.

A default is the paper's value where the paper has one (IJCNN 2021, Section IV and Table II). Importing this package is
cheap: neither torch nor pymoo is needed to check a configuration.
"""

from roco.config.attacks import (
    FIRST_BLOCK,
    AdversarialConfig,
    DifferentialEvolution,
    Greedy,
    MomentumIterative,
    ProjectedGradient,
    RandomSearch,
    SparseGradient,
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
from roco.config.white_box import (
    APGDCE,
    APGDT,
    BIM,
    CW,
    FAB,
    FABT,
    FGSM,
    L0,
    PGD,
    AutoAttack,
    ChecksConfig,
    CurveConfig,
    CWSearch,
    DeepFool,
    Noise,
    RobustnessConfig,
    Square,
    WhiteBoxAttack,
)

__all__ = [
    "APGDCE",
    "APGDT",
    "BIM",
    "CW",
    "FAB",
    "FABT",
    "FGSM",
    "FIRST_BLOCK",
    "L0",
    "PGD",
    "PUBLISHED_GENOMES",
    "AdversarialConfig",
    "AutoAttack",
    "CWSearch",
    "ChecksConfig",
    "CurveConfig",
    "DatasetConfig",
    "DeepFool",
    "DenseNetConfig",
    "DifferentialEvolution",
    "EvaluationConfig",
    "Greedy",
    "LeNetConfig",
    "MomentumIterative",
    "Noise",
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
    "Square",
    "StudyConfig",
    "TargetsConfig",
    "VGG16Config",
    "WhiteBoxAttack",
    "check_config",
    "load_config",
    "read_yaml",
]
