"""What topology explains: the adversarial error of all evaluated networks, regressed on features of their graphs."""

import math
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.searched import searched_networks
from roco.report.measures.topology import FEATURES, described_networks
from roco.report.numbers.format import (
    NO_VALUE,
    percent_interval,
    signed_interval,
    whole,
)
from roco.report.numbers.over_seeds import Fit, coefficient, fit, over_seeds, resolved
from roco.report.numbers.shares import Array
from roco.report.numbers.statistics import FEWEST_SEEDS
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

TOPOLOGY = ("depth", "width", "ends", "residual")
COVARIATES = ("log2_flops", "error")
EXPLAINED = ["term", "kind", "coefficient", "low", "high", "basis", "p", "resolved"]
EXPLAINED += ["standard_deviation", "seeds", "networks"]
# A seed needs so many more networks than coefficients.
FREEDOM = 10
_TITLES = {
    "log2_flops": "FLOPs, doubled",
    "error": "clean validation error, a point more",
    "covariates": "explained by FLOPs and clean error, % of the variance",
    "topology": "explained by topology beyond these, % of the variance",
}


def make(study: Study, config: StudyConfig) -> Content:
    """Coefficients of topology at equal FLOPs and equal clean error: means over the seeds' own regressions.

    A network that several searches of a seed evaluated counts once, because it was trained once.
    """
    networks = searched_networks(study).drop_duplicates(["seed", "key"])
    networks = networks[networks["flops"].astype(float) > 0].reset_index(drop=True)
    described = networks.assign(
        log2_flops=np.log2(networks["flops"].to_numpy(dtype=float)),
        **{name: described_networks(networks)[name] for name in TOPOLOGY},
    )
    # A feature that is equal in all networks of a study explains nothing.
    terms = [name for name in (*TOPOLOGY, *COVARIATES) if described[name].nunique() > 1]
    fits = [made for _, part in described.groupby("seed", sort=True) if (made := _fits(part, terms))]
    rows = _rows(fits, terms, described) if fits else []
    numbers = pd.DataFrame(rows, columns=EXPLAINED)
    header = ("At equal values of the others", "Adversarial error, points", "A standard deviation", "Seeds", "Networks")
    cells = [header, *(_shown(row) for row in rows_of(numbers))]
    return Content(numbers, tuple(cells), _notes(described, fits, terms))


def _fits(networks: pd.DataFrame, terms: list[str]) -> tuple[Fit, float, int] | None:
    """A seed's regression with all terms, the variance that covariates alone explain, and its number of networks."""
    values = networks["adversarial_error"].to_numpy(dtype=float)
    whole_fit = fit(_columns(networks, terms), values, freedom=FREEDOM)
    alone = fit(_columns(networks, [name for name in terms if name in COVARIATES]), values, freedom=FREEDOM)
    return None if whole_fit is None or alone is None else (whole_fit, alone.adjusted_r2, len(networks))


def _columns(networks: pd.DataFrame, names: list[str]) -> list[Array]:
    return [networks[name].to_numpy(dtype=float) for name in names]


def _rows(fits: list[tuple[Fit, float, int]], terms: list[str], networks: pd.DataFrame) -> list[tuple[Any, ...]]:
    count = sum(size for *_, size in fits)
    estimates = [coefficient([regression for regression, *_ in fits], index) for index in range(len(terms))]
    kinds = {True: "topology", False: "covariate"}
    of_topology = [name in TOPOLOGY for name in terms]
    verdicts = iter(resolved([estimate for estimate, counts in zip(estimates, of_topology, strict=True) if counts]))
    spreads = [float(networks.groupby("seed")[name].std().mean()) for name in terms]
    rows = [
        (name, kinds[tested], *estimate.tested, next(verdicts) if tested else None, spread, estimate.seeds, count)
        for name, estimate, tested, spread in zip(terms, estimates, of_topology, spreads, strict=True)
    ]
    shares = {
        "covariates": over_seeds([alone for _, alone, _ in fits]),
        "topology": over_seeds([regression.adjusted_r2 - alone for regression, alone, _ in fits]),
    }
    rows += [
        (name, "share", *estimate.tested, None, math.nan, estimate.seeds, count) for name, estimate in shares.items()
    ]
    return rows


def _shown(row: Any) -> tuple[str, ...]:
    counts = (whole(row.seeds), whole(row.networks))
    title = _TITLES.get(row.term) or f"{FEATURES[row.term][0]}, one more"
    if row.kind == "share":
        return (title, percent_interval(row.coefficient, row.low, row.high, sign=True), NO_VALUE, *counts)
    # Errors are fractions: a point of clean error moves the adversarial error by so many points.
    scale = 1 if row.term == "error" else 100
    value, low, high = (scale * number for number in (row.coefficient, row.low, row.high))
    star = "*" if row.resolved is True else ""
    spread = signed_interval(100 * row.coefficient * row.standard_deviation, None, None)
    return (title, signed_interval(value, low, high) + star, spread, *counts)


def _notes(networks: pd.DataFrame, fits: list[Any], terms: list[str]) -> tuple[str, ...]:
    seeds = networks["seed"].nunique()
    if not fits:
        return (
            f"No seed has enough networks ({len(TOPOLOGY) + len(COVARIATES) + 1 + FREEDOM} or more) that differ in all "
            "of these independently of one another.",
        )
    notes = [
        "A least-squares regression within each seed over all networks that its searches evaluated, each once: the "
        "adversarial error on the validation set, as the searches saw it, on these rows together. A row says by how "
        "many points the error rises with one more node (phase, doubling, point) if all others are equal, then with "
        "one more standard deviation.",
    ]
    if len(fits) > 1:
        notes.append(
            "Means over seeds; in parentheses the 95 % t interval over the seeds' own regressions (Ibragimov and "
            "Müller, 2010), which holds with few seeds, when cluster-robust errors of a single regression are too "
            "small. All seeds see the same adversarial set: the interval does not cover what another set would change."
        )
        notes.append(
            "A star: a row of topology differs from zero at 5 % after Holm's correction for "
            f"{sum(name in TOPOLOGY for name in terms)} rows, with {FEWEST_SEEDS} seeds or more."
        )
    else:
        notes.append(
            "One seed: in parentheses the 95 % interval within this run (HC3), which takes its networks as "
            "independent. It says nothing about another run, and nothing is called resolved."
        )
    if len(fits) < seeds:
        notes.append(
            f"{seeds - len(fits)} of {seeds} seeds have too few networks, or too similar ones, and are left out."
        )
    notes.append(
        "The last two rows: the explained variance of the adversarial error, adjusted for the number of rows; that of "
        "topology is below zero if it explains less than as many random numbers would. The clean error is measured "
        "with noise, so that its influence is not removed completely. The adversarial error is on images made for "
        "other networks, after the search's short training; it is not the accuracy under an attack on the network."
    )
    return tuple(notes)
