"""The differences between the searches, with their intervals, and which are resolved. No wording."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import (
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    compared_metrics,
    equal_flops_pairs,
    lightest,
    roles_of,
)
from roco.report.measures.main_comparison import main_measure, main_selection
from roco.report.measures.measured import RADIUS, groups_by_seed, measurements, sizes_of, within_radius
from roco.report.numbers.contrasts import difference_interval, interpolated_interval, paired_interval
from roco.report.numbers.interpolation import interpolation_weights
from roco.report.numbers.statistics import CONFIDENCE, FEWEST_SEEDS, Interval, holm
from roco.report.read.collect import Study, records_of, rows_of


@dataclass(frozen=True)
class Difference:
    """What a search gains over the reference in one metric, for one selection of their networks: a row of the table.

    Attributes:
        selection: which networks are compared: `equal_flops`, `interpolated` or `top_N`.
        accuracy: the mean of the networks of both searches together.
        difference: a fraction, with its 95 % interval from `low` to `high`.
        deviation: its standard deviation over seeds.
        effect_size: its mean over seeds divided by `deviation`.
        p: the p-value without correction.
        p_holm: corrected for the number of other comparisons; missing for the main comparison.
        main: whether it is the comparison that was named beforehand.
        resolved: whether it differs from zero at 5 %, with five seeds or more.
        basis: the sources of error that the interval covers.
        networks: the number of networks, or of pairs of networks.
        retrainings: of both searches.
        same_networks: how many networks both searches found.
    """

    search: str
    reference: str
    selection: str
    metric: str
    accuracy: float
    difference: float
    low: float
    high: float
    deviation: float
    effect_size: float
    p: float
    p_holm: float
    main: bool
    resolved: bool
    basis: str
    seeds: int
    networks: int
    retrainings: int
    same_networks: int

    @property
    def verdict(self) -> str:
        """Whether it is resolved, or why there is no verdict."""
        if self.resolved:
            return "resolved"
        if self.seeds < FEWEST_SEEDS:
            return f"no verdict: {self.seeds} seed{'s' if self.seeds > 1 else ''} of the {FEWEST_SEEDS} that it needs"
        return "not resolved"


DIFFERENCES = [field.name for field in fields(Difference)]


def differences_in(numbers: pd.DataFrame) -> list[Difference]:
    """The rows of a frame with the columns DIFFERENCES."""
    return [Difference(**row) for row in records_of(numbers)]


def main_difference(numbers: pd.DataFrame) -> Difference | None:
    """The main comparison; None if it was not possible."""
    return next(iter(differences_in(numbers[numbers["main"].astype(bool)])), None)


def differences(study: Study, config: StudyConfig) -> pd.DataFrame:
    """What each search gains over the reference search, in every metric: DIFFERENCES.

    For the N lightest networks (`selection` top_N), for pairs of networks of nearly equal FLOPs (`equal_flops`), and
    for the fronts in the range of FLOPs that both cover (`interpolated`). `resolved` needs five seeds and p below 0.05,
    for all but the main comparison after Holm's correction.
    """
    role, measure, rows = roles_of(config), main_measure(study, config), list[tuple[Any, ...]]()
    measured, names = compared_measures(study, config)
    for search in role.others:
        pairs = equal_flops_pairs(study, search, role.reference, tolerance=FLOPS_TOLERANCE)
        for metric in names:
            of_metric = measured[(measured["metric"] == metric) & measured["search"].isin([search, role.reference])]
            accuracy = float(of_metric["accuracy"].mean())
            outcomes = {
                EQUAL_FLOPS: _paired(of_metric, pairs, search, role.reference),
                INTERPOLATED: _interpolated(of_metric, search, role.reference),
            }
            for count in config.report.top:
                outcomes[f"top_{count}"] = _lightest(lightest(of_metric, count), search, role.reference)
            rows += [
                (search, role.reference, selection, metric, accuracy, *outcome)
                for selection, outcome in outcomes.items()
                if outcome
            ]
    numbers = pd.DataFrame(rows, columns=[name for name in DIFFERENCES if name not in ("p_holm", "main", "resolved")])
    main = (numbers["search"] == role.main) & (numbers["metric"] == (measure.name if measure else None))
    main &= numbers["selection"] == main_selection(numbers[main], config)
    return judged(numbers.assign(main=main))[DIFFERENCES]


def compared_measures(study: Study, config: StudyConfig) -> tuple[pd.DataFrame, list[str]]:
    """The measurements that compare searches, and their metrics; with the radius of the main comparison."""
    measure, measured, names = main_measure(study, config), measurements(study), compared_metrics(config)
    if measure is None or not measure.name.startswith(RADIUS):
        return measured, names
    return pd.concat([within_radius(study, measure.radius), measured], ignore_index=True), [measure.name, *names]


def judged(numbers: pd.DataFrame) -> pd.DataFrame:
    """Adds `p_holm` and `resolved`, from `p`, `seeds` and `main` (which is left out of the correction).

    A difference from too few seeds cannot be resolved and does not count in the correction.
    """
    counted = (numbers["seeds"] >= FEWEST_SEEDS) & numbers["p"].notna() & ~numbers["main"]
    corrected = pd.Series(np.nan, index=numbers.index)
    corrected[counted] = np.array(holm(numbers.loc[counted, "p"].to_list()))
    decisive = corrected.where(~numbers["main"], numbers["p"].where(numbers["seeds"] >= FEWEST_SEEDS))
    return numbers.assign(p_holm=corrected, resolved=decisive < 1 - CONFIDENCE)


def _lightest(values: pd.DataFrame, search: str, reference: str) -> tuple[Any, ...]:
    """The difference of the means of two searches; `networks` counts those of `search`."""
    first, second = groups_by_seed(values, search), groups_by_seed(values, reference)
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return ()
    of_seeds = values[values["seed"].isin(seeds) & values["search"].isin([search, reference])]
    interval = difference_interval([first[s] for s in seeds], [second[s] for s in seeds], sizes_of(of_seeds))
    keys = [set(of_seeds.loc[of_seeds["search"] == name, "key"]) for name in (search, reference)]
    networks = sum(len(first[seed]) for seed in seeds)
    return _outcome(interval, len(seeds), networks, int(of_seeds["retrainings"].sum()), len(keys[0] & keys[1]))


def _paired(values: pd.DataFrame, pairs: pd.DataFrame, search: str, reference: str) -> tuple[Any, ...]:
    """The mean difference within pairs; `networks` counts pairs."""
    rows = {(row.search, row.seed, row.slot): row for row in rows_of(values)}
    measured = [
        (pair.seed, rows[search, pair.seed, pair.slot], rows[reference, pair.seed, pair.reference_slot])
        for pair in rows_of(pairs)
        if (search, pair.seed, pair.slot) in rows and (reference, pair.seed, pair.reference_slot) in rows
    ]
    if not measured:
        return ()
    seeds = sorted({seed for seed, _, _ in measured})
    groups = [[(ours.counts, theirs.counts) for s, ours, theirs in measured if s == seed] for seed in seeds]
    trained = sum(row.retrainings for _, *pair in measured for row in pair)
    same = sum(ours.key == theirs.key for _, ours, theirs in measured)
    return _outcome(paired_interval(groups, sizes_of(values)), len(seeds), len(measured), trained, same)


def _interpolated(values: pd.DataFrame, search: str, reference: str) -> tuple[Any, ...]:
    """The mean difference between the interpolated fronts."""
    groups: list[list[tuple[float, Any]]] = []
    shared = trained = 0
    for _, members in values.groupby("seed", sort=True):
        sides = [rows_of(members[members["search"] == name]) for name in (search, reference)]
        weights = interpolation_weights(*([row.flops for row in side] for side in sides))
        if weights is None:
            continue
        merged: dict[str, tuple[float, Any]] = {}
        for row, weight in zip([*sides[0], *sides[1]], np.concatenate(weights).tolist(), strict=True):
            # A network outside the common range has no weight and does not count.
            if weight:
                shared += row.key in merged
                merged[row.key] = (merged.get(row.key, (0.0,))[0] + weight, row)
        groups.append([(weight, row.counts) for weight, row in merged.values()])
        trained += sum(row.retrainings for _, row in merged.values())
    if not groups:
        return ()
    interval = interpolated_interval(groups, sizes_of(values))
    return _outcome(interval, len(groups), sum(map(len, groups)), trained, shared)


def _outcome(interval: Interval, *counts: int) -> tuple[Any, ...]:
    """The last columns of a difference; `counts`: seeds, networks, retrainings of both searches, equal networks."""
    return (*interval.bounds, interval.deviation, interval.effect, interval.p, interval.basis, *counts)
