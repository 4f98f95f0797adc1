"""Measurements of the same networks after standard and after adversarial training. No wording."""

from dataclasses import dataclass

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attack_of
from roco.report.measures.differences import differences
from roco.report.measures.main_comparison import main_measure
from roco.report.measures.measured import ADVERSARIAL_SET, RADIUS, TEST, measurements, within_radius
from roco.report.numbers.relations import spearman
from roco.report.read.collect import PLACE, Study
from roco.runtime import numpy_generator

# standard, adversarial: the accuracy after each training, the mean over retrainings.
BOTH_WAYS = [*PLACE, "key", "genome", "parameters", "flops", "metric", "retrainings", "standard", "adversarial"]


@dataclass(frozen=True)
class Ways:
    """A study with both trainings.

    Attributes:
        standard: the study.
        adversarial: the same study after adversarial training.
        config: its configuration, which names the metric of the standard training's main comparison.
        metrics: in which both are compared.
    """

    standard: Study
    adversarial: Study
    config: StudyConfig
    metrics: tuple[str, ...]

    @classmethod
    def of(cls, study: Study, config: StudyConfig) -> "Ways":
        """The ways of a study whose `adversarial` is not None."""
        assert study.adversarial is not None
        measure, within = main_measure(study, config), list[str]()
        if measure is not None:
            chosen = measure.radius or measure.name
            main = config.report.main.model_copy(update={"measure": chosen})
            config = config.model_copy(update={"report": config.report.model_copy(update={"main": main})})
            within = [measure.name] if measure.radius else []
        names = (TEST, *within, *config.robustness.with_budget, ADVERSARIAL_SET)
        return cls(study, study.adversarial, config, names)

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics of a figure: clean accuracy, the radius of the main comparison, the strongest attack."""
        within = [name for name in self.metrics if name.startswith(RADIUS)]
        strongest = [attack_of(self.config, method) for method in ("autoattack", "pgd")]
        return tuple(dict.fromkeys([TEST, *within, *[name for name in strongest if name in self.metrics][:1]]))


def both_ways(ways: Ways) -> pd.DataFrame:
    """A row for each network with both trainings and each metric: BOTH_WAYS."""
    on = [*PLACE, "key", "flops", "metric"]
    columns = [*on, "accuracy", "retrainings"]
    standard, adversarial = (_measured(study, ways.metrics)[columns] for study in (ways.standard, ways.adversarial))
    merged = standard.rename(columns={"accuracy": "standard"}).merge(
        adversarial.rename(columns={"accuracy": "adversarial"}).drop(columns="retrainings"), on=on
    )
    merged = merged.merge(ways.standard.retrained[[*PLACE, "genome", "parameters"]], on=PLACE)
    order = {name: index for index, name in enumerate(ways.metrics)}
    return merged.sort_values("metric", key=lambda names: names.map(order), kind="stable")[BOTH_WAYS]


def _measured(study: Study, metrics: tuple[str, ...]) -> pd.DataFrame:
    parts = [within_radius(study, float(name.removeprefix(RADIUS))) for name in metrics if name.startswith(RADIUS)]
    measured = pd.concat([*parts, measurements(study)], ignore_index=True)
    return measured[measured["metric"].isin(metrics)]


def rank_correlations(ways: Ways) -> pd.DataFrame:
    """Spearman's correlation of the accuracies after both trainings, by metric; a network counts once per seed."""
    networks = both_ways(ways).drop_duplicates(["seed", "key", "metric"])
    rows = []
    for metric in ways.metrics:
        part = networks[networks["metric"] == metric]
        standard, adversarial, seeds = (part[name].to_list() for name in ("standard", "adversarial", "seed"))
        correlation = spearman(standard, adversarial, seeds, numpy_generator("report", "both ways", metric))
        rows.append((metric, len(part), part["seed"].nunique(), *correlation.bounds))
    return pd.DataFrame(rows, columns=["metric", "networks", "seeds", "correlation", "low", "high"])


def differences_both_ways(ways: Ways) -> pd.DataFrame:
    """What each search gains over the reference search after each training (`way`)."""
    parts = [
        differences(study, ways.config).assign(way=way)
        for way, study in (("standard", ways.standard), ("adversarial", ways.adversarial))
    ]
    return pd.concat(parts, ignore_index=True)
