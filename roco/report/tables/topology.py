"""The topology of the networks of each front, and which of its features go with robustness."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attack_of, roles_of
from roco.report.measures.measured import measurements
from roco.report.measures.topology import FEATURES, described_networks
from roco.report.numbers.format import NO_VALUE, missing, signed_interval
from roco.report.numbers.relations import (
    seed_difference,
    seed_mean,
    spearman,
)
from roco.report.numbers.statistics import NOTHING, Interval
from roco.report.read.collect import REFERENCES, Study
from roco.report.tables.table import Content
from roco.runtime import numpy_generator

TOPOLOGY = ["feature", "quantity", "search", "value", "low", "high", "networks", "seeds"]


def make(study: Study, config: StudyConfig) -> Content:
    """Features of each front's networks, differences from the reference search, and correlations with PGD."""
    described = described_networks(study.fronts)
    role, pgd = roles_of(config), attack_of(config, "pgd")
    searches = [role.reference, *role.others]
    robust = _with_accuracy(study, pgd)
    cells = [("Feature", *searches, *(f"{name} − {role.reference}" for name in role.others), "Correlation with PGD")]
    rows: list[tuple[Any, ...]] = []
    for feature, (title, _) in FEATURES.items():
        columns = {name: described[described["search"] == name][[feature, "seed"]] for name in searches}
        sides = {name: (part[feature].to_list(), part["seed"].to_list()) for name, part in columns.items()}
        shown = [title]
        for name in searches:
            interval = seed_mean(*sides[name])
            # Features are counts.
            interval = replace(interval, low=float(np.maximum(0, interval.low)))
            rows.append((feature, "mean", name, *_numbers(interval, sides[name][1])))
            shown.append(_interval(interval))
        for name in role.others:
            interval = seed_difference(sides[name], sides[role.reference])
            rows.append((feature, "difference", name, *_numbers(interval, sides[name][1])))
            shown.append(signed_interval(*interval.bounds))
        seeds = robust["seed"].to_list()
        generator = numpy_generator("report", "topology", feature, "pgd")
        interval = (
            spearman(robust[feature].to_list(), robust["accuracy"].to_list(), seeds, generator) if pgd else NOTHING
        )
        rows.append((feature, "correlation_with_pgd", "", *_numbers(interval, seeds)))
        cells.append((*shown, signed_interval(*interval.bounds)))
    notes = (
        "Means over the networks of each final front, then over seeds; differences over the seeds that both searches "
        "have. The last column is Spearman's rank correlation over all retrained networks, each once per seed, from "
        "six networks on. In parentheses 95 % intervals over seeds (Student's t); of one seed over its networks.",
        "For exploration: nothing here is corrected for the number of comparisons. If nothing differed, one of twenty "
        "intervals would leave out zero.",
        "Counts are of the network after the decoder's repairs, without inactive phases. Features go with FLOPs and "
        "with each other: a correlation is not a cause.",
    )
    numbers = pd.DataFrame(rows, columns=TOPOLOGY)
    return Content(numbers, tuple(cells), notes)


def _with_accuracy(study: Study, metric: str | None) -> pd.DataFrame:
    """The retrained networks of the searches with their features and their accuracy in a metric, each once a seed."""
    networks = study.retrained[study.retrained["search"] != REFERENCES]
    described = described_networks(networks).drop_duplicates(["seed", "key"])
    measured = measurements(study)
    of_metric = measured[measured["metric"] == metric].drop_duplicates(["seed", "key"])
    return described.merge(of_metric[["seed", "key", "accuracy"]], on=["seed", "key"])


def _interval(interval: Interval) -> str:
    if missing(interval.value):
        return NO_VALUE
    return f"{interval.value:.2f}" + ("" if missing(interval.low) else f" ({interval.low:.2f}–{interval.high:.2f})")


def _numbers(interval: Interval, seeds: list[int]) -> tuple[Any, ...]:
    return *interval.bounds, len(seeds), len(set(seeds))
