"""Hypervolume of the retrained networks of each front: on the values that selected them, and on test data."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attack_of, metric_title, roles_of
from roco.report.measures.measured import ADVERSARIAL_SET, TEST, measurements
from roco.report.measures.searched import VOLUMES
from roco.report.numbers.format import NO_VALUE, missing, signed_interval, whole
from roco.report.numbers.over_seeds import OverSeeds, over_seeds, resolved
from roco.report.numbers.statistics import FEWEST_SEEDS
from roco.report.read.collect import REFERENCES, Study, rows_of
from roco.report.tables.table import Content
from roco.search.hypervolume import hypervolumes

# On the values that selected the networks, and on test data.
SIDES = ("selected", "test")
_BOUNDS = ("difference", "low", "high", "p")
_NETWORK = ["search", "seed", "key"]
HYPERVOLUME_TEST = ["search", "reference", "objectives", "seeds", "networks", *SIDES]
HYPERVOLUME_TEST += [f"{side}_{name}" for side in SIDES for name in _BOUNDS] + ["resolved"]


def make(study: Study, config: StudyConfig) -> Content:
    """The hypervolumes of each search, and their differences from the reference search and from a random search.

    Values that selected networks are too good: they include the luck that made a network look good. The values of the
    same networks on test data, after retraining, do not.
    """
    volumes = _volumes(study, config)
    rows = [
        (search, reference, objectives, _of_pair(part, search, reference))
        for objectives, part in volumes.groupby("objectives", sort=False)
        for search, reference in _pairs(config)
        if search in set(part["search"])
    ]
    numbers = pd.DataFrame(
        [
            (*pair, *counts, *means, *(each for gain in gains for each in (*gain.interval.bounds, gain.interval.p)))
            for *pair, (gains, means, counts) in rows
        ],
        columns=HYPERVOLUME_TEST[:-1],
    ).assign(resolved=resolved([gains[-1] for *_, (gains, *_) in rows]))
    header = ("Search", "In", "As selected", "On test data", "Against", "Difference as selected", "On test data")
    cells = [(*header, "Seeds", "Networks"), *(_shown(row, config) for row in rows_of(numbers))]
    return Content(numbers, tuple(cells), _notes(numbers, config))


def _pairs(config: StudyConfig) -> list[tuple[str, str]]:
    """Each retrained search against the reference, and against the first random search if that is retrained too."""
    kinds, role = config.search.searches, roles_of(config)
    random = [name for name in config.retrained_searches if kinds[name].method == "random"][:1]
    pairs = [(name, "") for name in dict.fromkeys([role.reference, *random])]
    pairs += [(name, role.reference) for name in role.others if name not in random]
    pairs += [(name, control) for control in random for name in kinds if kinds[name].method != "random"]
    return [pair for pair in pairs if pair[0] in config.retrained_searches]


def _volumes(study: Study, config: StudyConfig) -> pd.DataFrame:
    """A row for each search, seed and set of objectives: networks, and the hypervolumes `selected` and `test`.

    `selected` is missing if an objective was not measured in the search.
    """
    retrained = study.retrained[study.retrained["search"] != REFERENCES]
    attack = attack_of(config, "pgd")
    shares = measurements(study).pivot(index=["search", "seed", "slot"], columns="metric", values="accuracy")
    tested = retrained.merge((1 - shares).reset_index(), on=["search", "seed", "slot"])
    on_test = {"error": TEST, "adversarial_error": ADVERSARIAL_SET, f"{attack}_error": attack, "flops": "flops"}
    searched = study.fronts[[*_NETWORK, "error", "adversarial_error", "flops"]].merge(retrained[_NETWORK], on=_NETWORK)
    under_attack = [("error", f"{attack}_error", "flops")] if attack in tested else []
    parts = []
    for names in (*VOLUMES, *under_attack):
        if all(on_test[name] in tested for name in names):
            values = tested.assign(**{name: tested[on_test[name]] for name in names}).dropna(subset=list(names))
            counts = values.groupby(_NETWORK[:2]).size().rename("networks").reset_index()
            part = _of_fronts(values, names, "test").merge(counts).assign(objectives=" ".join(names))
            seen = set(names) <= set(searched)
            parts.append(
                part.merge(_of_fronts(searched, names, "selected")) if seen else part.assign(selected=math.nan)
            )
    return pd.concat(parts) if parts else pd.DataFrame(columns=["search", "seed", "objectives"])


def _of_fronts(values: pd.DataFrame, names: Sequence[str], column: str) -> pd.DataFrame:
    """The hypervolume of each search and seed in a column of this name."""
    fronts = values.assign(generation=0, evaluations=0, status="ok")
    return hypervolumes(fronts, names)[["search", "seed", "hypervolume"]].rename(columns={"hypervolume": column})


def _of_pair(
    volumes: pd.DataFrame, search: str, reference: str
) -> tuple[list[OverSeeds], list[float], tuple[int, int]]:
    """Differences over the seeds of both searches, means of the search, and its numbers of seeds and networks."""
    ours, other = (volumes[volumes["search"] == name].set_index("seed") for name in (search, reference))
    gains = [over_seeds((ours[side].astype(float) - other[side].astype(float)).to_list()) for side in SIDES]
    means = [float(ours[side].astype(float).mean()) for side in SIDES]
    return gains, means, (len(ours), int(ours["networks"].sum()))


def _shown(row: Any, config: StudyConfig) -> tuple[str, ...]:
    as_selected, on_test = (
        signed_interval(*(getattr(row, f"{side}_{end}") for end in ("difference", "low", "high")), digits=4)
        for side in SIDES
    )
    means = (NO_VALUE if missing(value) else f"{value:.4f}" for value in (row.selected, row.test))
    attack = attack_of(config, "pgd") or ""
    titles = {"adversarial_error": "adversarial error", "flops": "FLOPs"}
    titles |= {f"{attack}_error": f"{metric_title(attack)} error"}
    objectives = ", ".join(titles.get(name, name) for name in row.objectives.split())
    differences = (as_selected, on_test + "*" * row.resolved)
    return (row.search, objectives, *means, row.reference or NO_VALUE, *differences, *map(whole, row[3:5]))


def _notes(numbers: pd.DataFrame, config: StudyConfig) -> tuple[str, ...]:
    notes = [
        "Over the same networks, those of the final fronts that were retrained. As selected: by the search, on "
        "validation images, at the width of the search. On test data: after retraining, on test images, the test "
        "adversarial set, and under PGD, with the FLOPs of the retrained networks. A search that is ahead as selected "
        "and not on test data selected luck.",
        "Each of the two is scaled to the range of all searches and seeds, with the reference point at 1.1, as a share "
        "of the box (larger is better): differences can be compared within a column, not across columns. More networks "
        "have more volume, however good they are.",
        "Means over seeds; differences within a seed, in parentheses their 95 % t interval over seeds (none for one "
        "seed). A star: the difference on test data differs from zero at 5 % after Holm's correction for the table's "
        f"rows, with {FEWEST_SEEDS} seeds or more.",
    ]
    if config.retraining.networks != "all":
        notes.append(
            f"Of each front only the {config.retraining.networks} lightest networks were retrained "
            "(retraining.networks): heavier and more accurate networks are missing from both."
        )
    return tuple(notes)
