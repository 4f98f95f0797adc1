"""Every retrained network under every attack, and how far its retrainings are from one another."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.compare import attacks_without_budget, metric_title, metrics, name_of
from roco.report.numbers.shares import Array
from roco.report.read.collect import PLACE, REFERENCES, RETRAINING, Study, records_of, rows_of
from roco.report.read.measured import drawn_anew, measurements, of_retrainings, over_retrainings, several
from roco.report.tables.table import NO_VALUE, Table, millions, missing, percent, percent_interval, whole

# Columns of a network's accuracy within a radius, in the norm of the curve.
AT_RADIUS = "accuracy_at_"
# After an attack's name: the median length in L2 of what it found, where it has no budget.
DISTANCE = "_median_l2"
HOW_FAR = ", L₂ (left, %)"
_IDENTITY = ["key", "genome", "channels", "parameters", "flops"]
Values = dict[tuple[Any, ...], dict[str, float]]


def white_box(study: Study, config: StudyConfig) -> Table:
    """Every retrained network: cost, accuracy on test images and adversarial set, and under each white-box attack."""
    again = several(config)
    curves = over_retrainings(study.curves, ["radius"])
    values = _values(measurements(study), curves, PLACE)
    for row in records_of(distances(study, config)):
        values[_place(row, PLACE)][f"{row['metric']}{DISTANCE}"] = row["distance"]
    rows = [
        {**_network(part, config), **values.get(_place(part.iloc[0], PLACE), {})}
        for _, part in study.networks.groupby(PLACE, sort=True)
    ]
    kept = [*PLACE, "status", "reason", "retrainings", *_IDENTITY]
    numbers = pd.DataFrame(rows, columns=_columns(kept, rows, study, config))
    cost = ("Parameters, M", "FLOPs, M")
    header = (
        "Search",
        "Seed",
        "Network",
        *cost,
        *_headings(config, attacks_without_budget(config)),
        *(["Retrainings"] if again else []),
    )
    images = sorted({int(n) for n in study.retrainings["white_box_images"]})
    notes = [
        "Accuracies in %. Each attack's share of test images that the network still classifies correctly, by our own "
        "re-classification of what the attack returned; its settings are in the configuration below. The CSV file "
        "holds each network's accuracy against the radius as well.",
        *([WITHOUT_BUDGET] if attacks_without_budget(config) else []),
        f"White-box attacks see {' or '.join(map(whole, images)) if images else 'no'} test images: "
        f"a 95 % interval of about ±{percent(0.98 / images[0] ** 0.5) if images else NO_VALUE} points at 50 %.",
        *(["Means over retrainings; how far these differ is in a table of its own."] if again else []),
    ]
    cells = (header, *(_shown(row, config) for row in records_of(numbers)))
    return Table("white_box", "All retrained networks under white-box attacks", numbers, cells, tuple(notes))


WITHOUT_BUDGET = (
    "DeepFool, C&W and FAB have no budget and go as far as they must. What says something is how far: the median "
    "length (L₂) over the images that were right before. In parentheses the share of images in % that they leave "
    "right: the attack's failure and not the network's strength. No distance is given where half of the images hold."
)


def distances(study: Study, config: StudyConfig) -> pd.DataFrame:
    """For each network and attack without a budget the median L2 distance of what it found, the mean over retrainings.

    Columns: a network's place, `key`, `metric` (the attack's name), `distance`, missing where one retraining has none,
    and the smallest and largest of its retrainings, `low` and `high`.
    """
    rows = study.attacks[study.attacks["attack"].isin(attacks_without_budget(config))].rename(
        columns={"attack": "metric"}
    )
    found = rows.groupby([*PLACE, "key", "metric"], sort=False)["median_l2"]
    table = found.agg(distance=lambda part: part.mean(skipna=False), low="min", high="max").reset_index()
    return table.astype(dict.fromkeys(("distance", "low", "high"), "float64"))


def distance_and_left(distance: float | None, left: float | None, *, digits: int = 1) -> str:
    """A median L2 distance, and in parentheses the share of images that the attack left right, in percent."""
    shown = NO_VALUE if distance is None or missing(distance) else f"{distance:.3g}"
    return f"{shown} ({percent(left, digits=digits)})"


def _headings(config: StudyConfig, far: Sequence[str] = ()) -> tuple[str, ...]:
    """Of the columns of accuracies, in the order of `metrics`; `far` are the attacks whose distance comes first."""
    titles = [f"{metric_title(name)}{HOW_FAR * (name in far)}" for name in config.robustness.attacks]
    return ("Adversarial set", "Test", *titles)


def _values(measured: pd.DataFrame, curves: pd.DataFrame, place: list[str]) -> Values:
    """Accuracies by metric and by radius of each network or retraining."""
    values: Values = {}
    for row in records_of(measured):
        values.setdefault(_place(row, place), {})[str(row["metric"])] = row["accuracy"]
    for row in records_of(curves):
        values.setdefault(_place(row, place), {})[f"{AT_RADIUS}{row['radius']:g}"] = row["accuracy"]
    return values


def _place(row: Any, names: list[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _columns(kept: list[str], rows: list[Any], study: Study, config: StudyConfig) -> list[str]:
    radii = list(dict.fromkeys(f"{AT_RADIUS}{radius:g}" for radius in sorted(study.curves["radius"])))
    measured = [*metrics(config), *(f"{name}{DISTANCE}" for name in attacks_without_budget(config))]
    return [*kept, *measured, *radii] if rows else [*kept[: kept.index("status") + 1], *metrics(config)]


def _network(part: pd.DataFrame, config: StudyConfig) -> dict[str, Any]:
    """Where a network is, what it is, how many of its retrainings there are, and what became of the others."""
    succeeded, failed = part[part["status"] == "ok"], part[part["status"] != "ok"]
    told = [f"training seed {row.training_seed}: {row.reason}" for row in rows_of(failed)]
    reason = "; ".join(told if several(config) else failed["reason"]) or None
    state = {"status": "ok" if len(succeeded) else "failed", "reason": reason, "retrainings": len(succeeded)}
    one = records_of(succeeded if len(succeeded) else part)[0]
    return {name: one[name] for name in (*PLACE, *_IDENTITY)} | state


def _shown(row: Mapping[str, Any], config: StudyConfig) -> tuple[str, ...]:
    network = _name(row)
    if row["status"] != "ok":
        network = f"{network}, failed: {row['reason']}"
    elif row["retrainings"] < len(config.retraining.seeds):
        network = f"{network}, in part failed: {row['reason']}"
    shown = [
        distance_and_left(row[f"{metric}{DISTANCE}"], row[metric])
        if metric in attacks_without_budget(config)
        else percent(row[metric])
        for metric in metrics(config)
    ]
    cost = (millions(row["parameters"]), millions(row["flops"]))
    trained = [whole(row["retrainings"])] if several(config) else []
    return (str(row["search"]), str(row["seed"]), network, *cost, *shown, *trained)


def _name(row: Mapping[str, Any]) -> str:
    name = name_of(str(row["genome"]))
    return str(row["key"]) if name == row["genome"] else f"{row['key']} ({name})"


def retrainings(study: Study, config: StudyConfig) -> Table:
    """Every retraining in numbers; for people the mean of each network with its smallest and largest, and the spread.

    The cells are empty where networks are trained once.
    """
    curves = study.curves
    values = _values(of_retrainings(study), curves, RETRAINING)
    for row in records_of(study.attacks[study.attacks["attack"].isin(attacks_without_budget(config))]):
        values[_place(row, RETRAINING)][f"{row['attack']}{DISTANCE}"] = row["median_l2"]
    kept = [*RETRAINING, "status", "reason", *_IDENTITY]
    rows = [
        {**{name: row[name] for name in kept}, **values.get(_place(row, RETRAINING), {})}
        for row in records_of(study.networks)
    ]
    numbers = pd.DataFrame(rows, columns=_columns(kept, rows, study, config))
    header = ("Search", "Seed", "Network", "Retrainings", *_headings(config))
    cells = _spreads(numbers, study, config) if several(config) and rows else []
    title = "How far retrainings of a network differ"
    return Table("retrainings", title, numbers, (header, *cells), tuple(_notes(config)))


def _spreads(numbers: pd.DataFrame, study: Study, config: StudyConfig) -> list[tuple[str, ...]]:
    measured = over_retrainings(of_retrainings(study), ["metric"])
    found = {(*_place(row, PLACE), row["metric"]): row for row in records_of(measured)}
    cells = []
    for place, part in numbers.groupby(PLACE, sort=True):
        one = records_of(part)[0]
        rows = [found.get((*place, metric)) for metric in metrics(config)]
        shown = [smallest_to_largest(row["accuracies"]) if row else NO_VALUE for row in rows]
        count = whole((part["status"] == "ok").sum())
        cells.append((str(one["search"]), str(one["seed"]), _name(one), count, *shown))
    searched = measured[measured["search"] != REFERENCES]
    for title, spread in (("within", _within), ("between", _between)):
        deviations = [percent(spread(searched[searched["metric"] == metric])) for metric in metrics(config)]
        cells.append((f"standard deviation {title} networks", "", "", "", *deviations))
    return cells


def smallest_to_largest(accuracies: tuple[float, ...]) -> str:
    """The mean of a network's retrainings in percent, in parentheses the smallest and the largest of several."""
    mean = sum(accuracies) / len(accuracies)
    several_of_them = len(accuracies) > 1
    return percent_interval(mean, min(accuracies), max(accuracies)) if several_of_them else percent(mean)


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
        return ["Each network was trained once (retraining.seeds): nothing is known of another training's luck."]
    return [
        "Accuracies in %: the mean over a network's retrainings, in parentheses the smallest and the largest. The CSV "
        "file has a row for each retraining.",
        "Standard deviations: within networks, over retrainings of one network; between networks, over the means of "
        "the networks of one search and seed. Where the first is not well below the second, one training says little "
        f"of which network is better. Intervals in the other tables cover {drawn_anew(config)} too.",
    ]
