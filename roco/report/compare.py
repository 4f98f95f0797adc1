"""What is compared with what: the measured accuracies of retrained networks, the N lightest, and pairs of equal FLOPs.

Networks are chosen by FLOPs alone; accuracies never decide what is compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roco.config import PUBLISHED_GENOMES, SearchKind, StudyConfig
from roco.objectives import parse
from roco.report.collect import REFERENCES, Study, rows_of
from roco.report.interpolation import interpolated_interval, interpolation_weights
from roco.report.statistics import (
    NOTHING,
    Array,
    Interval,
    difference_interval,
    mean_interval,
    newcombe,
    pair_by_flops,
    paired_interval,
    wilson,
)
from roco.runtime import numpy_generator

ADVERSARIAL_SET = "adversarial_set"
TEST = "test"
# Two networks of a pair "at equal FLOPs" differ by a tenth at most.
FLOPS_TOLERANCE = 0.1
EQUAL_FLOPS = "equal_flops"
INTERPOLATED = "interpolated"

MEASUREMENTS = ["search", "seed", "slot", "key", "flops", "metric", "images", "correct", "accuracy"]
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
    """Whether a search minimises the adversarial error."""
    return any(parse(text)[0] == "adversarial_error" for text in kind.objectives)


def measurements(study: Study) -> pd.DataFrame:
    """Every measured accuracy of every retrained network, one row each: MEASUREMENTS.

    `metric` is `test`, `adversarial_set` or a white-box attack's name; a network without images of a kind has no row.
    """
    networks = study.retrained
    place = ["search", "seed", "slot", "key", "flops"]
    parts = [
        networks[[*place, f"{prefix}_images", f"{prefix}_correct"]]
        .rename(columns={f"{prefix}_images": "images", f"{prefix}_correct": "correct"})
        .assign(metric=metric)
        for metric, prefix in ((TEST, "test"), (ADVERSARIAL_SET, "adversarial"))
    ]
    attacked = study.attacks.rename(columns={"attack": "metric"})
    flops = networks[["search", "seed", "slot", "flops"]]
    parts.append(attacked[["search", "seed", "slot", "key", "metric", "images", "correct"]].merge(flops))
    table = pd.concat([part[MEASUREMENTS[:-1]] for part in parts], ignore_index=True)
    table = table[table["images"] > 0].reset_index(drop=True)
    accuracy = table["correct"].to_numpy(dtype=float) / table["images"].to_numpy(dtype=float)
    return table.assign(accuracy=accuracy)


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


def _groups(values: pd.DataFrame, search: str) -> dict[int, Array]:
    of_search = values[values["search"] == search]
    return {
        int(str(seed)): part[["accuracy", "images"]].to_numpy(dtype=float) for seed, part in of_search.groupby("seed")
    }


def _single(values: pd.DataFrame, search: str) -> Interval:
    row = values[values["search"] == search].iloc[0]
    return wilson(int(row["correct"]), int(row["images"]))


def mean_accuracy(values: pd.DataFrame, search: str, *, purpose: str) -> Interval:
    """The mean accuracy of a search's networks, over networks within a seed and then over seeds.

    With a single network the interval is that of its test images.

    Args:
        values: measurements of one metric and one selection of networks.
        search: the search.
        purpose: what the number is for; seeds the bootstrap.
    """
    groups = _groups(values, search)
    if sum(map(len, groups.values())) == 1:
        return _single(values, search)
    return mean_interval(list(groups.values()), numpy_generator("report", "mean", search, purpose))


def _difference(values: pd.DataFrame, search: str, reference: str, purpose: str) -> tuple[Interval, int, int]:
    """The difference in one metric, the number of seeds, and the number of networks of `search` in it."""
    first, second = _groups(values, search), _groups(values, reference)
    seeds = sorted(set(first) & set(second))
    networks = sum(len(first[seed]) for seed in seeds)
    if not seeds:
        return NOTHING, 0, 0
    if len(seeds) == 1 and len(first[seeds[0]]) == len(second[seeds[0]]) == 1:
        of_seed = values[values["seed"] == seeds[0]]
        return newcombe(_single(of_seed, search), _single(of_seed, reference)), 1, 1
    generator = numpy_generator("report", "difference", search, reference, purpose)
    found = difference_interval([first[s] for s in seeds], [second[s] for s in seeds], generator)
    return found, len(seeds), networks


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


def _paired(
    values: pd.DataFrame, pairs: pd.DataFrame, search: str, reference: str, purpose: str
) -> tuple[Interval, int, int]:
    """The mean difference within pairs, with the number of seeds and pairs."""
    accuracy = {(r.search, r.seed, r.slot): r for r in rows_of(values)}
    found = [
        (pair.seed, accuracy[search, pair.seed, pair.slot], accuracy[reference, pair.seed, pair.reference_slot])
        for pair in rows_of(pairs)
        if (search, pair.seed, pair.slot) in accuracy and (reference, pair.seed, pair.reference_slot) in accuracy
    ]
    seeds = sorted({seed for seed, _, _ in found})
    if len(found) == 1 and found[0][1].key != found[0][2].key:
        one, two = (wilson(int(row.correct), int(row.images)) for row in found[0][1:])
        return newcombe(one, two), 1, 1
    groups = [
        np.array(
            [
                (one.accuracy, one.images, two.accuracy, two.images, one.key == two.key)
                for s, one, two in found
                if s == seed
            ]
        )
        for seed in seeds
    ]
    interval = paired_interval(groups, numpy_generator("report", "pairs", search, reference, purpose))
    return interval, len(seeds), len(found)


def _interpolated(values: pd.DataFrame, search: str, reference: str) -> tuple[tuple[Interval, int, int], int]:
    """The mean difference between the interpolated fronts, the number of seeds, of networks; and of shared ones."""
    groups: list[Array] = []
    shared = 0
    for _, members in values.groupby("seed", sort=True):
        one, two = (members[members["search"] == name] for name in (search, reference))
        weights = interpolation_weights(one["flops"].to_list(), two["flops"].to_list())
        if weights is None:
            continue
        both = pd.concat([one.assign(weight=weights[0]), two.assign(weight=weights[1])])
        merged = both.groupby("key", sort=True).agg({"weight": "sum", "accuracy": "first", "images": "first"})
        groups.append(merged.to_numpy(dtype=float))
        shared += len(both) - len(merged)
    purpose = ("report", "interpolated", search, reference, *values["metric"].unique())
    interval = interpolated_interval(groups, numpy_generator(*purpose))
    return (interval, len(groups), sum(map(len, groups))), shared


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
            for selection, (interval, seeds, networks), same in found:
                if networks:
                    resolved = seeds > 1 and interval.excludes_zero
                    numbers = (interval.value, interval.low, interval.high, interval.effect, resolved, interval.basis)
                    rows.append((search, role.reference, selection, metric, *numbers, seeds, networks, same))
    return pd.DataFrame(rows, columns=DIFFERENCES)
