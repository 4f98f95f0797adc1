"""How far the retrainings of a network differ."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attacks_without_budget, metrics
from roco.report.measures.measured import (
    drawn_anew,
    of_retrainings,
    over_retrainings,
    several,
)
from roco.report.numbers.format import (
    NO_VALUE,
    percent,
    whole,
)
from roco.report.numbers.shares import Array
from roco.report.read.collect import PLACE, REFERENCES, RETRAINING, Study, records_of
from roco.report.tables.retrained import (
    IDENTITY,
    accuracies,
    headings,
    network_name,
    number_columns,
    smallest_to_largest,
)
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """Every retraining in numbers; for people the mean of each network with its smallest and largest, and the spread.

    The cells are empty where networks are trained once.
    """
    attacks = study.attacks[study.attacks["attack"].isin(attacks_without_budget(config))]
    far = attacks.rename(columns={"attack": "metric", "median_l2": "distance"})
    values = accuracies(of_retrainings(study), study.curves, far, RETRAINING)
    kept = [*RETRAINING, "status", "reason", *IDENTITY]
    trainings = study.networks[kept].merge(values, on=RETRAINING, how="left")
    numbers = trainings.reindex(columns=number_columns(kept, trainings, study, config))
    header = ("Search", "Seed", "Network", "Retrainings", *headings(config))
    cells = _spreads(numbers, study, config) if several(config) and len(numbers) else []
    return Content(numbers, (header, *cells), tuple(_notes(config)))


def _spreads(numbers: pd.DataFrame, study: Study, config: StudyConfig) -> list[tuple[str, ...]]:
    measured = over_retrainings(of_retrainings(study), ["metric"])
    by_metric = {(*(row[name] for name in PLACE), row["metric"]): row for row in records_of(measured)}
    cells = []
    for network, part in numbers.groupby(PLACE, sort=True):
        first = records_of(part)[0]
        rows = [by_metric.get((*network, metric)) for metric in metrics(config)]
        shown = [smallest_to_largest(row["accuracies"]) if row else NO_VALUE for row in rows]
        count = whole((part["status"] == "ok").sum())
        cells.append((str(first["search"]), str(first["seed"]), network_name(first), count, *shown))
    searched = measured[measured["search"] != REFERENCES]
    for title, spread in (("within", _within), ("between", _between)):
        deviations = [percent(spread(searched[searched["metric"] == metric])) for metric in metrics(config)]
        cells.append((f"standard deviation {title} networks", "", "", "", *deviations))
    return cells


def _within(measured: pd.DataFrame) -> float:
    """The standard deviation over retrainings of one network, pooled over networks."""
    return _pooled([np.asarray(accuracies) for accuracies in measured["accuracies"]])


def _between(measured: pd.DataFrame) -> float:
    """The standard deviation over the networks of one search and seed of their means, pooled over these."""
    return _pooled([part["accuracy"].to_numpy(dtype=float) for _, part in measured.groupby(["search", "seed"])])


def _pooled(groups: Sequence[Array]) -> float:
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return math.sqrt(squares / freedom) if freedom else math.nan


def _notes(config: StudyConfig) -> list[str]:
    if not several(config):
        return ["Each network was trained once (retraining.seeds): how far another training would differ is unknown."]
    return [
        "Accuracies in %: the mean over a network's retrainings, in parentheses the smallest and the largest. The CSV "
        "file has a row for each retraining.",
        "Standard deviations: within networks, over retrainings of one network; between networks, over the means of "
        "the networks of one search and seed. Unless the first is well below the second, one training says little "
        f"about which network is better. Intervals in the other tables cover {drawn_anew(config)} too.",
    ]
