"""Searches at equal FLOPs and equal clean accuracy: are their networks more robust, or only more accurate?"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import metric_title, roles_of
from roco.report.measures.differences import compared_measures
from roco.report.measures.measured import TEST
from roco.report.numbers.format import percent_interval, whole
from roco.report.numbers.over_seeds import Fit, OverSeeds, coefficient, fit, resolved
from roco.report.numbers.statistics import FEWEST_SEEDS
from roco.report.read.collect import Study
from roco.report.tables.table import Content

# The covariates that a comparison holds equal, by its name.
HELD = {"nothing": (), "flops": ("log2_flops",), "flops_and_clean": ("log2_flops", "clean")}
FULL = "flops_and_clean"
EQUAL_ACCURACY = ["search", "reference", "metric", "held_equal", "difference", "low", "high", "basis", "p", "resolved"]
EQUAL_ACCURACY += ["seeds", "networks"]
# A seed needs so many more networks than coefficients, and so many networks of each search.
FREEDOM = 2
FEWEST_NETWORKS = 2


class _Comparison(NamedTuple):
    """A search against the reference in one metric: its coefficient for each entry of HELD."""

    compared: tuple[str, str, str]
    coefficients: dict[str, OverSeeds]
    seeds: int
    networks: int


def make(study: Study, config: StudyConfig) -> Content:
    """What each search gains over the reference: as found, at equal FLOPs, and at equal FLOPs and clean accuracy.

    Each is a mean over seeds of the coefficient of the search in a regression over the networks of one seed.
    """
    role = roles_of(config)
    measured, names = compared_measures(study, config)
    networks = _with_clean(measured)
    compared = [
        comparison
        for search in role.others
        for metric in names
        if metric != TEST
        if (comparison := _compare(networks[networks["metric"] == metric], search, role.reference, metric))
    ]
    verdicts = resolved([comparison.coefficients[FULL] for comparison in compared])
    header = ("Search", "Against", "Accuracy on", "As found", "At equal FLOPs", "And equal clean accuracy")
    rows, cells = list[tuple[Any, ...]](), list[tuple[str, ...]]([(*header, "Seeds", "Networks")])
    for each, verdict in zip(compared, verdicts, strict=True):
        *titles, metric = each.compared
        shown = []
        for held, estimate in each.coefficients.items():
            full = held == FULL
            tested = (*estimate.tested, verdict if full else None)
            rows.append((*each.compared, held, *tested, each.seeds, each.networks))
            shown.append(percent_interval(*estimate.interval.bounds, sign=True) + "*" * (verdict and full))
        cells.append((*titles, metric_title(metric), *shown, whole(each.seeds), whole(each.networks)))
    return Content(pd.DataFrame(rows, columns=EQUAL_ACCURACY), tuple(cells), _notes(compared))


def _with_clean(measured: pd.DataFrame) -> pd.DataFrame:
    """Measurements of networks with the logarithm of their FLOPs and their accuracy on clean test images."""
    measured = measured.loc[
        measured["flops"].astype(float) > 0, ["search", "seed", "slot", "flops", "metric", "accuracy"]
    ]
    clean = measured[measured["metric"] == TEST][["search", "seed", "slot", "accuracy"]]
    networks = measured.merge(clean.rename(columns={"accuracy": "clean"}), on=["search", "seed", "slot"])
    return networks.assign(log2_flops=np.log2(networks["flops"].to_numpy(dtype=float)))


def _compare(networks: pd.DataFrame, search: str, reference: str, metric: str) -> _Comparison | None:
    """The coefficients over the seeds in which every regression is possible; None without such a seed."""
    fits: list[dict[str, Fit]] = []
    count = 0
    for _, part in networks[networks["search"].isin([search, reference])].groupby("seed", sort=True):
        ours = _column(part.assign(ours=part["search"] == search), "ours")
        if min(ours.sum(), (1 - ours).sum()) < FEWEST_NETWORKS:
            continue
        accuracies = _column(part, "accuracy")
        of_seed = {held: fit([ours, *_columns(part, held)], accuracies, freedom=FREEDOM) for held in HELD}
        made = {held: regression for held, regression in of_seed.items() if regression}
        if len(made) == len(HELD):
            fits.append(made)
            count += len(part)
    if not fits:
        return None
    over = {held: coefficient([of_seed[held] for of_seed in fits], 0) for held in HELD}
    return _Comparison((search, reference, metric), over, len(fits), count)


def _columns(networks: pd.DataFrame, held: str) -> list[Any]:
    return [_column(networks, name) for name in HELD[held]]


def _column(networks: pd.DataFrame, name: str) -> Any:
    return networks[name].to_numpy(dtype=float)


def _notes(compared: list[_Comparison]) -> tuple[str, ...]:
    if not compared:
        return (
            f"No seed has enough retrained networks of two searches: {FEWEST_NETWORKS} of each and "
            f"{2 + len(HELD[FULL]) + FREEDOM} in all, which differ in FLOPs and in clean accuracy.",
        )
    single = all(comparison.seeds == 1 for comparison in compared)
    return (
        "Differences in points. Within each seed a least-squares regression of the accuracy on the search alone (as "
        "found), then with the logarithm of FLOPs, then with the accuracy on clean test images too; all retrained "
        "networks count, so that differences as found are not those of the N lightest. The last column is the "
        "robustness that clean accuracy and FLOPs do not account for.",
        "One seed: in parentheses the 95 % interval within this run (HC3), which takes its networks as independent. "
        "It says nothing about another run."
        if single
        else "Means over the seeds' own regressions; in parentheses the 95 % t interval over seeds (Ibragimov and "
        "Müller, 2010). A star: the last column differs from zero at 5 % after Holm's correction for its "
        f"{len(compared)} rows, with {FEWEST_SEEDS} seeds or more.",
        "The regressions are linear: if the searches found networks of quite different sizes or accuracies, they "
        "interpolate between them. The clean accuracy is measured with noise, so that its influence is not removed "
        "completely.",
    )
