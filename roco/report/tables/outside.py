"""Networks of others beside those of the study: clean accuracy, accuracy under attack, and their correlation."""

import math

import pandas as pd
from scipy.stats import spearmanr

from roco.attacks.white_box import title_of
from roco.config import StudyConfig
from roco.report.measures.compare import searches_in
from roco.report.measures.outside import FACTS, benchmarks_of, own_networks
from roco.report.numbers.format import NO_VALUE, percent, signed_interval, whole
from roco.report.numbers.relations import spearman
from roco.report.read.collect import Study, rows_of
from roco.report.read.nas_benchmarks import STANDARD
from roco.report.tables.table import Content
from roco.runtime import numpy_generator

RANGE = ["low", "median", "high"]
OUTSIDE = ["networks_of", "training", "method", "eps", "networks", *(f"clean_{name}" for name in RANGE)]
OUTSIDE += [*(f"robust_{name}" for name in RANGE), "correlation", "correlation_low", "correlation_high", "source"]
OURS = "this study"


def make(study: Study, config: StudyConfig) -> Content:
    """Networks of others beside those of the study, by attack; empty for other data sets than CIFAR-10."""
    rows: list[tuple[object, ...]] = []
    own = own_networks(study, config)
    for search in searches_in(own, config) if len(own) else []:
        for (method, eps), part in own[own["search"] == search].groupby(["method", "eps"], sort=False):
            generator = numpy_generator("report", "outside", search, method, eps)
            clean, robust, seeds = (part[name].to_list() for name in ("clean", "robust", "seed"))
            bounds = spearman(clean, robust, seeds, generator).bounds
            rows.append((search, STANDARD, method, eps, len(part), *_ranges(part), *bounds, OURS))
    for (name, training, method, eps), part in benchmarks_of(study, config).groupby(
        ["benchmark", "training", "method", "eps"], sort=False
    ):
        varied = min(part["clean"].nunique(), part["robust"].nunique()) > 1
        correlation = float(spearmanr(part["clean"], part["robust"]).statistic) if varied else math.nan
        rows.append((name, training, method, eps, len(part), *_ranges(part), correlation, math.nan, math.nan, "file"))
    if config.dataset.name == "cifar10":
        for fact in FACTS:
            known = (fact.networks, fact.training, fact.method, fact.eps, None, None, fact.clean, None)
            rows.append((*known, fact.robust[0], None, fact.robust[1], *[math.nan] * 3, fact.source))
    others = [row for row in rows if row[-1] != OURS]
    numbers = pd.DataFrame(rows if others else [], columns=OUTSIDE)
    header = ("Networks", "How many", "Training", "Attack", "Clean accuracy, %", "Accuracy under attack, %")
    cells = [(*header, "Rank correlation of the two", "Source"), *(_cells(row) for row in rows_of(numbers))]
    return Content(numbers, tuple(cells), NOTES)


NOTES = (
    "Median, and in parentheses the smallest and the largest, of all networks of a search or a benchmark; of published "
    "facts the published numbers. Standard training has no adversarial images; adversarial training has those of PGD "
    "at 8/255.",
    "Compare only attacks of the same name and budget on networks with the same kind of training. Do not compare the "
    "accuracies themselves: others' networks are of another space and size, and were trained longer on more images; "
    "and their PGD may take other steps. Compare the spread at equal clean accuracy, and the rank correlation.",
    "At 8/255 networks without adversarial training usually have nothing left, whatever their topology: their topology "
    "can matter at small budgets only (0.25 to 2/255).",
)


def _ranges(part: pd.DataFrame) -> tuple[float, ...]:
    """The smallest, median and largest clean and robust accuracies."""
    return tuple(float(value) for name in ("clean", "robust") for value in part[name].quantile([0, 0.5, 1]).to_list())


def _cells(row: object) -> tuple[str, ...]:
    of = row._asdict()  # type: ignore[attr-defined]
    eps = _known(of["eps"])
    attack = title_of(of["method"]) + (f", {eps:g}/255" if eps else " attacks")
    correlation = signed_interval(*(of[f"correlation{end}"] for end in ("", "_low", "_high")))
    accuracies = (_range(of, "clean"), _range(of, "robust"))
    return (
        of["networks_of"],
        whole(_known(of["networks"])),
        of["training"],
        attack,
        *accuracies,
        correlation,
        of["source"],
    )


def _range(of: dict[str, float | None], name: str) -> str:
    low, median, high = (_known(of[f"{name}_{end}"]) for end in RANGE)
    if low is None or high is None:
        return percent(median) if median is not None else NO_VALUE
    if median is None:
        return percent(low) if low == high else f"{percent(low)}–{percent(high)}"
    return percent(median) if low == high else f"{percent(median)} ({percent(low)}–{percent(high)})"


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
