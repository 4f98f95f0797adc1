"""What is compared with what: the measured accuracies of retrained networks, the N lightest, and pairs of equal FLOPs.

Networks are chosen by FLOPs alone; accuracies never decide what is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roco.config import PUBLISHED_GENOMES, SearchKind, StudyConfig
from roco.objectives import parse
from roco.report.collect import REFERENCES, Study, rows_of
from roco.report.interpolation import interpolated_interval, interpolation_weights
from roco.report.measured import ADVERSARIAL_SET, TEST, groups_by_seed, interval_of, measurements
from roco.report.resampling import Array, group_of
from roco.report.statistics import (
    NOTHING,
    Interval,
    difference_interval,
    mean_interval,
    newcombe,
    pair_by_flops,
    paired_interval,
)
from roco.runtime import numpy_generator

# Two networks of a pair "at equal FLOPs" differ by a tenth at most.
FLOPS_TOLERANCE = 0.1
EQUAL_FLOPS = "equal_flops"
INTERPOLATED = "interpolated"

DIFFERENCES = [
    "search",
    "reference",
    "selection",
    "metric",
    "difference",
    "low",
    "high",
    "effect_size",
    "resolved",
    "basis",
    "seeds",
    "networks",
    "retrainings",
    "same_networks",
]


@dataclass(frozen=True)
class Roles:
    """Which search the others are compared with, and which of those the study is about."""

    reference: str
    others: tuple[str, ...]

    @property
    def main(self) -> str | None:
        """The search that the report's first sentence is about; None if there is only one search."""
        return self.others[0] if self.others else None


def roles(searches: Mapping[str, SearchKind]) -> Roles:
    """The roles of the searches, by their objectives and methods.

    The reference is the first search without the adversarial objective (one called `baseline` before others); the main
    one is the first with it. A random search is a control, and comes last for either.
    """
    searched = [name for name, kind in searches.items() if kind.method != "random"] or list(searches)
    plain = [name for name in searched if not has_adversarial_objective(searches[name])]
    reference = "baseline" if "baseline" in plain else (plain or searched)[0]
    others = [name for name in searches if name != reference]
    return Roles(reference, tuple(sorted(others, key=lambda name: (name not in searched, name in plain))))


def has_adversarial_objective(kind: SearchKind) -> bool:
    """Whether a search minimises the adversarial error, also as a part of a sum."""
    return any(parse(text)[0] in ("adversarial_error", "summed_error") for text in kind.objectives)


def metrics(config: StudyConfig) -> list[str]:
    """The metrics of a study in the order of its report."""
    return [ADVERSARIAL_SET, TEST, *config.robustness.attacks]


def metric_title(metric: str) -> str:
    """How a metric is called in tables: an attack by its name in the configuration."""
    words = {ADVERSARIAL_SET: "adversarial set", TEST: "test images"}
    known = {"fgsm": "FGSM", "bim": "BIM", "pgd": "PGD", "deepfool": "DeepFool", "cw": "C&W"}
    known |= {"apgd": "APGD", "ce": "CE", "t": "T", "fab": "FAB", "autoattack": "AutoAttack", "l0": "L0"}
    return words.get(metric) or " ".join(known.get(part, part) for part in metric.split("_"))


def attack_of(config: StudyConfig, method: str) -> str | None:
    """The attack that stands for a method in Table V: the one called like it, or the first that uses it."""
    names = [name for name, attack in config.robustness.attacks.items() if attack.method == method]
    return method if method in names else next(iter(names), None)


def lightest(networks: pd.DataFrame, count: int | None = None) -> pd.DataFrame:
    """The `count` networks with the fewest FLOPs of each search and seed (all, if not given), lightest first."""
    ordered = networks[networks["search"] != REFERENCES].sort_values(["search", "seed", "flops", "slot"], kind="stable")
    return ordered if count is None else ordered.groupby(["search", "seed"], sort=False).head(count)


def name_of(genome: str) -> str:
    """The published name of a genome, or the genome itself."""
    return {text: name for name, text in PUBLISHED_GENOMES.items()}.get(genome, genome)


def _single(values: pd.DataFrame, search: str) -> Interval:
    return interval_of(rows_of(values[values["search"] == search])[0])


def mean_accuracy(values: pd.DataFrame, search: str, *, purpose: str) -> Interval:
    """The mean accuracy of a search's networks, over networks within a seed and then over seeds.

    With a single network the interval is that of its test images and retrainings.

    Args:
        values: measurements of one metric and one selection of networks.
        search: the search.
        purpose: what the number is for; seeds the bootstrap.
    """
    groups = groups_by_seed(values, search)
    if sum(map(len, groups.values())) == 1:
        return _single(values, search)
    return mean_interval(list(groups.values()), numpy_generator("report", "mean", search, purpose))


@dataclass(frozen=True)
class _Outcome:
    """A difference in one metric, and what it rests on; the retrainings are those of both searches."""

    interval: Interval
    seeds: int
    networks: int
    retrainings: int


def _difference(values: pd.DataFrame, search: str, reference: str, purpose: str) -> _Outcome:
    """The difference of the means of two searches; the number of networks is that of `search`."""
    first, second = groups_by_seed(values, search), groups_by_seed(values, reference)
    seeds = sorted(set(first) & set(second))
    networks = sum(len(first[seed]) for seed in seeds)
    if not seeds:
        return _Outcome(NOTHING, 0, 0, 0)
    of_seeds = values[values["seed"].isin(seeds)]
    trained = int(of_seeds.loc[of_seeds["search"].isin([search, reference]), "retrainings"].sum())
    if len(seeds) == 1 and len(first[seeds[0]]) == len(second[seeds[0]]) == 1:
        return _Outcome(newcombe(_single(of_seeds, search), _single(of_seeds, reference)), 1, 1, trained)
    generator = numpy_generator("report", "difference", search, reference, purpose)
    found = difference_interval([first[s] for s in seeds], [second[s] for s in seeds], generator)
    return _Outcome(found, len(seeds), networks, trained)


def equal_flops_pairs(study: Study, search: str, reference: str, *, tolerance: float | None) -> pd.DataFrame:
    """Pairs of one network of each search and of nearly equal FLOPs (at the retraining width), within each seed.

    Returns:
        seed, slot (of `search`), reference_slot, flops, reference_flops, same (whether it is one network); the closest
        pair of a seed first.
    """
    rows: list[tuple[Any, ...]] = []
    for seed, members in study.retrained.groupby("seed", sort=True):
        one, two = (members[members["search"] == name] for name in (search, reference))
        for i, j in pair_by_flops(one["flops"].to_list(), two["flops"].to_list(), tolerance=tolerance):
            a, b = one.iloc[i], two.iloc[j]
            rows.append((seed, a["slot"], b["slot"], a["flops"], b["flops"], a["key"] == b["key"]))
    columns = ["seed", "slot", "reference_slot", "flops", "reference_flops", "same"]
    return pd.DataFrame(rows, columns=columns)


def _paired(values: pd.DataFrame, pairs: pd.DataFrame, search: str, reference: str, purpose: str) -> _Outcome:
    """The mean difference within pairs, whose number is that of networks."""
    accuracy = {(r.search, r.seed, r.slot): r for r in rows_of(values)}
    found = [
        (pair.seed, accuracy[search, pair.seed, pair.slot], accuracy[reference, pair.seed, pair.reference_slot])
        for pair in rows_of(pairs)
        if (search, pair.seed, pair.slot) in accuracy and (reference, pair.seed, pair.reference_slot) in accuracy
    ]
    seeds = sorted({seed for seed, _, _ in found})
    trained = sum(row.retrainings for _, *pair in found for row in pair)
    if len(found) == 1 and found[0][1].key != found[0][2].key:
        return _Outcome(newcombe(interval_of(found[0][1]), interval_of(found[0][2])), 1, 1, trained)
    groups = [_pairs([(one, two) for s, one, two in found if s == seed]) for seed in seeds]
    interval = paired_interval(groups, numpy_generator("report", "pairs", search, reference, purpose))
    return _Outcome(interval, len(seeds), len(found), trained)


def _pairs(pairs: Sequence[tuple[Any, Any]]) -> Array:
    """Pairs of measurements' rows as `paired_interval` takes them."""
    sides = group_of([(row.accuracies, row.images) for side in zip(*pairs, strict=True) for row in side])
    same = np.array([[one.key == two.key] for one, two in pairs], dtype=float)
    return np.hstack([*np.split(sides, 2), same])


def _interpolated(values: pd.DataFrame, search: str, reference: str) -> tuple[_Outcome, int]:
    """The mean difference between the interpolated fronts, and how many networks both have."""
    groups: list[Array] = []
    shared = trained = 0
    for _, members in values.groupby("seed", sort=True):
        one, two = (members[members["search"] == name] for name in (search, reference))
        weights = interpolation_weights(one["flops"].to_list(), two["flops"].to_list())
        if weights is None:
            continue
        both = pd.concat([one.assign(weight=weights[0]), two.assign(weight=weights[1])])
        kept = {"weight": "sum", "accuracies": "first", "images": "first", "retrainings": "first"}
        merged = both.groupby("key", sort=True).agg(kept)
        networks = group_of(list(zip(merged["accuracies"], merged["images"], strict=True)))
        groups.append(np.column_stack([merged["weight"].to_numpy(dtype=float), networks]))
        shared += len(both) - len(merged)
        trained += int(merged["retrainings"].sum())
    purpose = ("report", "interpolated", search, reference, *values["metric"].unique())
    interval = interpolated_interval(groups, numpy_generator(*purpose))
    return _Outcome(interval, len(groups), sum(map(len, groups)), trained), shared


def differences(study: Study, config: StudyConfig) -> pd.DataFrame:
    """What each search gains over the reference search, in every metric: DIFFERENCES.

    For the N lightest networks (`selection` top_N), for pairs of networks of nearly equal FLOPs (`equal_flops`), and
    for the fronts where both have networks on either side (`interpolated`).
    `resolved` asks for an interval without zero and at least two seeds: one run of a search is not yet a finding.
    """
    role = roles(config.search.searches)
    measured, rows = measurements(study), []
    for search in role.others:
        pairs = equal_flops_pairs(study, search, role.reference, tolerance=FLOPS_TOLERANCE)
        for metric in metrics(config):
            of_metric = measured[measured["metric"] == metric]
            found = [(EQUAL_FLOPS, _paired(of_metric, pairs, search, role.reference, metric), int(pairs["same"].sum()))]
            found.append((INTERPOLATED, *_interpolated(of_metric, search, role.reference)))
            for count in config.report.top:
                values = lightest(of_metric, count)
                keys = [set(values.loc[values["search"] == name, "key"]) for name in (search, role.reference)]
                outcome = _difference(values, search, role.reference, f"{metric} top_{count}")
                found.append((f"top_{count}", outcome, len(keys[0] & keys[1])))
            for selection, outcome, same in found:
                if outcome.networks:
                    rows.append((search, role.reference, selection, metric, *_numbers(outcome), same))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _numbers(outcome: _Outcome) -> tuple[Any, ...]:
    """What DIFFERENCES has of an outcome, in its order."""
    found = outcome.interval
    resolved = outcome.seeds > 1 and found.excludes_zero
    counts = (outcome.seeds, outcome.networks, outcome.retrainings)
    return (found.value, found.low, found.high, found.effect, resolved, found.basis, *counts)
