"""Beyond the paper: what the search's objectives say of white-box robustness, and what its networks look like."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.figures.figure_data import searched_networks
from roco.report.numbers.compare import attack_of, compared_metrics, metric_title, roles_of
from roco.report.numbers.relations import seed_difference, seed_mean, spearman
from roco.report.numbers.statistics import NOTHING, Interval
from roco.report.read.collect import REFERENCES, Study, rows_of
from roco.report.read.measured import measurements
from roco.report.tables.table import MINUS, NO_VALUE, Table, missing, whole
from roco.runtime import numpy_generator
from roco.space.genome import Genome, Phenotype

OBJECTIVE = ["predictor", "metric", "networks", "seeds", "retrainings", "correlation", "low", "high"]
_PREDICTORS: Mapping[str, str] = MappingProxyType(
    {"adversarial_error": "adversarial objective", "error": "validation error", "flops": "FLOPs"}
)


def objective_value(study: Study, config: StudyConfig) -> Table:
    """Whether what the search minimised predicts how robust the retrained networks are: rank correlations."""
    measured = _with_objectives(study)
    rows = []
    for metric in compared_metrics(config):
        part = measured[measured["metric"] == metric]
        for name in _PREDICTORS:
            # More accurate is better, a smaller objective is better: the sign is turned so that +1 is agreement.
            values = (-part[name].astype(float)).to_list()
            generator = numpy_generator("report", "objective", name, metric)
            found = spearman(values, part["accuracy"].to_list(), part["seed"].to_list(), generator)
            counts = (len(part), part["seed"].nunique(), int(part["retrainings"].sum()))
            rows.append((name, metric, *counts, found.value, found.low, found.high))
    numbers = pd.DataFrame(rows, columns=OBJECTIVE)
    cells = [("Accuracy of the retrained network on", *_PREDICTORS.values(), "Networks")]
    for metric in compared_metrics(config):
        of_metric = numbers[numbers["metric"] == metric]
        shown = [signed_interval(row.correlation, row.low, row.high) for row in rows_of(of_metric)]
        cells.append((metric_title(metric), *shown, whole(of_metric["networks"].iloc[0])))
    notes = (
        "Spearman's rank correlation over the networks of all fronts, each once a seed: +1, where the objective orders "
        "the networks as their accuracy after retraining does; 0, where it says nothing. In parentheses the 95 % "
        "interval: the wider of one over seeds (bootstrap, Student's t) and Bonett and Wright's; no number for fewer "
        "than six networks. For exploration: no correction for the number of correlations.",
        "The objectives are those of the search (few epochs, few channels, validation images); for FLOPs, + means that "
        "smaller networks are more accurate. Fronts hold good networks only, and a narrow range weakens correlations.",
    )
    return Table("objective", "Does the search's objective predict robustness?", numbers, tuple(cells), notes)


def _with_objectives(study: Study) -> pd.DataFrame:
    """Measurements beside what the search saw of the same network; a network that two searches found counts once."""
    seen = study.fronts[["search", "seed", "key", "error", "adversarial_error", "flops"]]
    measured = measurements(study)[["search", "seed", "key", "metric", "accuracy", "retrainings"]]
    return measured.merge(seen, on=["search", "seed", "key"]).drop_duplicates(["seed", "key", "metric"])


def signed_interval(value: float | None, low: float | None, high: float | None, *, digits: int = 2) -> str:
    """A signed number and its interval: `+0.41 (−0.02 to +0.71)`."""
    if missing(value):
        return NO_VALUE
    shown = [f"{number:+z.{digits}f}".replace("-", MINUS) for number in (value, low, high) if not missing(number)]
    return shown[0] if len(shown) < 3 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _interval(found: Interval) -> str:
    if missing(found.value):
        return NO_VALUE
    return f"{found.value:.2f}" + ("" if missing(found.low) else f" ({found.low:.2f}–{found.high:.2f})")


FEATURES: Mapping[str, tuple[str, Callable[[Phenotype], float]]] = MappingProxyType(
    {
        "phases": ("active phases", lambda network: len(network.phases)),
        "depth": ("depth: nodes on the longest path", lambda network: sum(phase.depth for phase in network.phases)),
        "width": ("width: most nodes side by side", lambda network: sum(phase.width for phase in network.phases)),
        "nodes": ("nodes", lambda network: sum(len(phase.inputs) for phase in network.phases)),
        "edges": ("edges between nodes", lambda network: sum(phase.edges for phase in network.phases)),
        "ends": (
            "ends: nodes that feed an output",
            lambda network: sum(len(phase.outputs) for phase in network.phases),
        ),
        "residual": ("phases with the residual bit", lambda network: sum(phase.residual for phase in network.phases)),
    }
)
TOPOLOGY = ["feature", "quantity", "search", "value", "low", "high", "networks", "seeds"]


def topology(study: Study, config: StudyConfig) -> Table:
    """What the networks of each front look like, against the reference search's, and which features go with PGD."""
    described = described_networks(study.fronts)
    role, pgd = roles_of(config), attack_of(config, "pgd")
    searches = [role.reference, *role.others]
    robust = described_networks(study.retrained[study.retrained["search"] != REFERENCES]).drop_duplicates(
        ["seed", "key"]
    )
    measured = measurements(study)
    of_pgd = measured[measured["metric"] == pgd].drop_duplicates(["seed", "key"])
    robust = robust.merge(of_pgd[["seed", "key", "accuracy"]], on=["seed", "key"])
    cells = [("Feature", *searches, *(f"{name} − {role.reference}" for name in role.others), "Correlation with PGD")]
    rows: list[tuple[Any, ...]] = []
    for feature, (title, _) in FEATURES.items():
        columns = {name: described[described["search"] == name][[feature, "seed"]] for name in searches}
        sides = {name: (part[feature].to_list(), part["seed"].to_list()) for name, part in columns.items()}
        shown = [title]
        for name in searches:
            found = seed_mean(*sides[name])
            # They are counts.
            found = replace(found, low=float(np.maximum(0, found.low)))
            rows.append((feature, "mean", name, *_numbers(found, sides[name][1])))
            shown.append(_interval(found))
        for name in role.others:
            found = seed_difference(sides[name], sides[role.reference])
            rows.append((feature, "difference", name, *_numbers(found, sides[name][1])))
            shown.append(signed_interval(found.value, found.low, found.high))
        seeds = robust["seed"].to_list()
        generator = numpy_generator("report", "topology", feature, "pgd")
        found = spearman(robust[feature].to_list(), robust["accuracy"].to_list(), seeds, generator) if pgd else NOTHING
        rows.append((feature, "correlation_with_pgd", "", *_numbers(found, seeds)))
        cells.append((*shown, signed_interval(found.value, found.low, found.high)))
    notes = (
        "Means over the networks of each final front, then over seeds; differences over the seeds that both searches "
        "have. The last column is Spearman's rank correlation over all retrained networks, each once a seed, from "
        "six networks on. In parentheses 95 % intervals over seeds (Student's t); of one seed over its networks.",
        "For exploration: nothing here is corrected for the number of comparisons. Of twenty differences or "
        "correlations that are none, one has an interval that leaves out zero.",
        "Counts are of the network after the decoder's repairs, without inactive phases. Features go with FLOPs and "
        "with one another: a correlation names no cause.",
    )
    numbers = pd.DataFrame(rows, columns=TOPOLOGY)
    return Table("topology", "What the networks of the fronts look like", numbers, tuple(cells), notes)


def _numbers(found: Interval, seeds: list[int]) -> tuple[Any, ...]:
    return found.value, found.low, found.high, len(seeds), len(set(seeds))


def described_networks(networks: pd.DataFrame) -> pd.DataFrame:
    """Search, seed and key of networks, with a column for each feature of their phenotype; a row each, in their order.

    Args:
        networks: with columns search, seed, key and genome.
    """
    phenotypes = [Genome.parse(text).phenotype for text in networks["genome"]]
    features = {name: [float(count(p)) for p in phenotypes] for name, (_, count) in FEATURES.items()}
    return networks[["search", "seed", "key"]].assign(**features)


SURVIVORS = ["search", "seed", "key", "genome", "generation", "last", "generations", "fronts", "front"]
_SHOWN = 20


def survivors(study: Study, config: StudyConfig) -> Table:
    """The networks that lived through most generations of each search, and in how many fronts they are."""
    networks = searched_networks(study, config)
    alive = networks[networks["last"].notna()]
    fronts = study.fronts.groupby("key").size()
    numbers = alive.assign(
        generations=(alive["last"] - alive["generation"] + 1).astype("Int64"),
        fronts=[int(fronts.get(key, 0)) for key in alive["key"]],
    )[SURVIVORS]
    order = ["generations", "fronts", "search", "seed", "key"]
    numbers = numbers.sort_values(order, ascending=[False, False, True, True, True], kind="stable", ignore_index=True)
    cells = [("Search", "Seed", "Network", "First generation", "Last", "Generations", "Final front", "Fronts in all")]
    for row in rows_of(numbers.head(_SHOWN)):
        span = (whole(row.generation), whole(row.last), whole(row.generations))
        cells.append(
            (str(row.search), str(row.seed), str(row.key), *span, "yes" if row.front else "no", whole(row.fronts))
        )
    notes = (
        f"The {_SHOWN} longest-lived of {len(numbers)} networks that were among the survivors of a generation; the CSV "
        "file holds all. Fronts in all: in how many final fronts (of searches and seeds) the network is.",
    )
    return Table("survivors", "Which networks survive", numbers, tuple(cells), notes)
