"""What the tables of retrained networks share: their columns, values and headings."""

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attacks_without_budget, metric_title, metrics, name_of
from roco.report.numbers.format import (
    NO_VALUE,
    missing,
    percent,
    percent_interval,
)
from roco.report.read.collect import Study

# Columns of a network's accuracy within a radius, in the norm of the curve.
AT_RADIUS = "accuracy_at_"
# After the name of an attack without a budget: the median L2 length of its perturbations.
DISTANCE = "_median_l2"
HOW_FAR = ", L₂ (left, %)"
IDENTITY = ["key", "genome", "channels", "parameters", "flops"]
WITHOUT_BUDGET = (
    "DeepFool, C&W and FAB have no budget and go as far as they must. Their result is the distance: the median length "
    "(L₂) over the images that were right before. In parentheses the share of images in % that they leave right: a "
    "failure of the attack, not a strength of the network. No distance is given if half of the images hold."
)


def accuracies(measured: pd.DataFrame, curves: pd.DataFrame, far: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """A row for each network or retraining: accuracies by metric and by radius, and distances by attack.

    Args:
        measured: with the columns `metric` and `accuracy`.
        curves: with the columns `radius` and `accuracy`.
        far: with the columns `metric` and `distance`.
        by: what identifies a row.
    """
    parts = [
        measured.assign(column=measured["metric"], value=measured["accuracy"]),
        curves.assign(column=[f"{AT_RADIUS}{radius:g}" for radius in curves["radius"]], value=curves["accuracy"]),
        far.assign(column=far["metric"] + DISTANCE, value=far["distance"]),
    ]
    every = pd.concat([part[[*by, "column", "value"]] for part in parts if len(part)] or [parts[0]])
    return every.pivot(index=by, columns="column", values="value").reset_index()


def number_columns(kept: list[str], rows: Sized, study: Study, config: StudyConfig) -> list[str]:
    """The columns of the CSV file: `kept`, metrics, distances, accuracies by radius; without networks fewer."""
    radii = list(dict.fromkeys(f"{AT_RADIUS}{radius:g}" for radius in sorted(study.curves["radius"])))
    measured = [*metrics(config), *(f"{name}{DISTANCE}" for name in attacks_without_budget(config))]
    return [*kept, *measured, *radii] if len(rows) else [*kept[: kept.index("status") + 1], *metrics(config)]


def headings(config: StudyConfig, far: Sequence[str] = ()) -> tuple[str, ...]:
    """The headings of accuracies, in the order of `metrics`; `far` are the attacks whose distance comes first."""
    titles = [f"{metric_title(name)}{HOW_FAR * (name in far)}" for name in config.robustness.attacks]
    return ("Adversarial set", "Test", *titles)


def network_name(row: Mapping[str, Any]) -> str:
    """The key of a network, with its published name if it has one."""
    name = name_of(str(row["genome"]))
    return str(row["key"]) if name == row["genome"] else f"{row['key']} ({name})"


def distance_and_left(distance: float | None, left: float | None, *, digits: int = 1) -> str:
    """A median L2 distance, and in parentheses the share of images that the attack left right, in percent."""
    shown = NO_VALUE if distance is None or missing(distance) else f"{distance:.3g}"
    return f"{shown} ({percent(left, digits=digits)})"


def smallest_to_largest(accuracies: tuple[float, ...]) -> str:
    """The mean of a network's retrainings in percent, in parentheses the smallest and the largest of several."""
    mean = sum(accuracies) / len(accuracies)
    return percent_interval(mean, min(accuracies), max(accuracies)) if len(accuracies) > 1 else percent(mean)
