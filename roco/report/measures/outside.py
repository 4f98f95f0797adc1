"""Networks of others beside those of a study: published facts, and benchmarks that the user has."""

from dataclasses import dataclass

import pandas as pd

from roco.attacks.white_box.attack import LinfBudget
from roco.config import StudyConfig
from roco.report.measures.measured import TEST, measurements
from roco.report.read.collect import PLACE, Study
from roco.report.read.nas_benchmarks import ADVERSARIAL, BUDGETS, STANDARD


@dataclass(frozen=True)
class Fact:
    """A published accuracy on CIFAR-10; fractions, None if it was not published.

    Attributes:
        training: standard, or adversarial at 8/255.
        method: of the attack.
        eps: of the attack, in 1/255; None for a mean over several.
        clean: accuracy without an attack.
        robust: the smallest and the largest accuracy under the attack.
        source: the publication.
    """

    networks: str
    training: str
    method: str
    eps: float | None
    clean: float | None
    robust: tuple[float, float]
    source: str


JUNG = "Jung et al., ICLR 2023"
FACTS = (
    Fact("NAS-Bench-201, its best under this attack", STANDARD, "fgsm", 1.0, None, (0.6924, 0.6924), JUNG),
    Fact("NAS-Bench-201, network 13433", STANDARD, "pgd", 1.0, 0.893, (0.336, 0.336), JUNG),
    Fact(
        *("NAS-Bench-201, networks of equal parameters, mean over attacks", STANDARD, "several", None, None),
        *((0.20, 0.41), JUNG),
    ),
    Fact(
        *("WideResNet-28-10 (RobustBench's Standard)", STANDARD, "autoattack", 8.0, 0.9478, (0.0, 0.0)),
        "RobustBench, Croce et al. 2021",
    ),
    Fact(
        *("NAS-RobBench-201, its best under this attack", ADVERSARIAL, "autoattack", 8.0, None, (0.4438, 0.4438)),
        "Wu et al., ICLR 2024",
    ),
)


def benchmarks_of(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The networks of the user's benchmarks on the study's data set: BENCHMARKS."""
    return study.benchmarks[study.benchmarks["data_set"] == config.dataset.name]


def own_networks(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The study's networks under attacks that benchmarks have too: PLACE, metric, method, eps, clean, robust."""
    measured = measurements(study)
    clean = measured[measured["metric"] == TEST][[*PLACE, "accuracy"]].rename(columns={"accuracy": "clean"})
    parts = []
    for name in config.robustness.with_budget:
        attack = config.robustness.attacks[name]
        if isinstance(attack, LinfBudget) and attack.eps in BUDGETS:
            part = measured[measured["metric"] == name].merge(clean, on=PLACE).rename(columns={"accuracy": "robust"})
            parts.append(part.assign(method=attack.method, eps=attack.eps))
    columns = [*PLACE, "metric", "method", "eps", "clean", "robust"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
