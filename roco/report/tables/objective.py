"""Whether the search's objectives predict how robust the retrained networks are: rank correlations."""

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import compared_metrics, metric_title
from roco.report.measures.measured import measurements
from roco.report.numbers.format import signed_interval, whole
from roco.report.numbers.relations import spearman
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content
from roco.runtime import numpy_generator

OBJECTIVE = ["predictor", "metric", "networks", "seeds", "retrainings", "correlation", "low", "high"]
_PREDICTORS: Mapping[str, str] = MappingProxyType(
    {"adversarial_error": "adversarial objective", "error": "validation error", "flops": "FLOPs"}
)


def make(study: Study, config: StudyConfig) -> Content:
    """Rank correlations of the search's objectives with the accuracies of the retrained networks."""
    measured = _with_objectives(study)
    rows = []
    for metric in compared_metrics(config):
        part = measured[measured["metric"] == metric]
        for name in _PREDICTORS:
            # More accurate is better, a smaller objective is better: the sign is turned so that +1 is agreement.
            values = (-part[name].astype(float)).to_list()
            generator = numpy_generator("report", "objective", name, metric)
            correlation = spearman(values, part["accuracy"].to_list(), part["seed"].to_list(), generator)
            counts = (len(part), part["seed"].nunique(), int(part["retrainings"].sum()))
            rows.append((name, metric, *counts, *correlation.bounds))
    numbers = pd.DataFrame(rows, columns=OBJECTIVE)
    cells = [("Accuracy of the retrained network on", *_PREDICTORS.values(), "Networks")]
    for metric in compared_metrics(config):
        of_metric = numbers[numbers["metric"] == metric]
        shown = [signed_interval(row.correlation, row.low, row.high) for row in rows_of(of_metric)]
        cells.append((metric_title(metric), *shown, whole(of_metric["networks"].iloc[0])))
    notes = (
        "Spearman's rank correlation over the networks of all fronts, each once per seed: +1 if the objective orders "
        "the networks as their accuracy after retraining does; 0 if it says nothing. In parentheses the 95 % interval: "
        "the wider of the interval over seeds (bootstrap, Student's t) and Bonett and Wright's; no number for fewer "
        "than six networks. For exploration: no correction for the number of correlations.",
        "The objectives are those of the search (few epochs, few channels, validation images); for FLOPs, + means that "
        "smaller networks are more accurate. Fronts have good networks only, and a narrow range weakens correlations.",
    )
    return Content(numbers, tuple(cells), notes)


def _with_objectives(study: Study) -> pd.DataFrame:
    """Measurements beside the search's objectives of the same network; a network of two searches counts once."""
    seen = study.fronts[["search", "seed", "key", "error", "adversarial_error", "flops"]]
    measured = measurements(study)[["search", "seed", "key", "metric", "accuracy", "retrainings"]]
    return measured.merge(seen, on=["search", "seed", "key"]).drop_duplicates(["seed", "key", "metric"])
