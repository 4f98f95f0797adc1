"""Differences between two searches: of means, of pairs at equal FLOPs, of interpolated fronts. No files, no wording.

With several seeds each seed gives a difference, and the interval is that of `seeds_interval`. With one seed the
interval covers what varies within that run, if its networks were trained more than once; otherwise there is none,
because the effect of another training is unknown.
"""

from collections.abc import Sequence

import numpy as np

from roco.report.numbers.shares import Array, Counts, mean_of, of_network, values_of
from roco.report.numbers.statistics import (
    NOTHING,
    Error,
    Interval,
    alone,
    of_retrainings,
    run_interval,
    seeds_interval,
)

Networks = Sequence[Counts]
Pair = tuple[Counts, Counts]
TRAINED_ONCE = "one run, of which each network was trained once"


def _trained_once(networks: Networks) -> bool:
    return all(len(counts) == 1 for counts in networks)


def difference_interval(first: Sequence[Networks], second: Sequence[Networks], sizes: Array) -> Interval:
    """The difference of two searches' means, paired by seed: both searches of a seed start from one population.

    Args:
        first: for each seed the networks of the first search, `(retrainings, clusters)` each.
        second: for the same seeds in the same order the networks of the second search.
        sizes: images of each cluster, `(clusters,)`.
    """
    pairs = [(ours, theirs) for ours, theirs in zip(first, second, strict=True) if len(ours) and len(theirs)]
    if not pairs:
        return NOTHING
    rows = [mean_of(ours) - mean_of(theirs) for ours, theirs in pairs]
    if len(rows) > 1:
        return seeds_interval(rows, sizes)
    ours, theirs = pairs[0]
    if _trained_once([*ours, *theirs]):
        return alone(rows[0], sizes, TRAINED_ONCE)
    unit = "networks" if max(len(ours), len(theirs)) > 1 else "retrainings"
    errors = [_of_networks(side, sizes) for side in (ours, theirs)]
    return run_interval(rows[0], sizes, errors, f"{unit} and test images of one seed")


def _of_networks(networks: Networks, sizes: Array) -> Error:
    """The error of the mean, from the spread of the networks, or of the retrainings of a single network."""
    if len(networks) == 1:
        return of_retrainings([(1.0, networks[0])], sizes)
    values = values_of(np.stack([of_network(counts) for counts in networks]), sizes)
    return Error(float(values.var(ddof=1)) / len(values), len(values) - 1)


def paired_interval(groups: Sequence[Sequence[Pair]], sizes: Array) -> Interval:
    """The mean difference within pairs of networks, over pairs and then over seeds.

    A pair of a network with itself has the same counts twice: its difference is 0, whatever the images.

    Args:
        groups: for each seed its pairs of networks, `(retrainings, clusters)` each.
        sizes: images of each cluster, `(clusters,)`.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    rows = [mean_of([ours for ours, _ in group]) - mean_of([theirs for _, theirs in group]) for group in groups]
    if len(rows) > 1:
        return seeds_interval(rows, sizes)
    pairs = groups[0]
    different = [pair for pair in pairs if not np.array_equal(*pair)]
    if not different or _trained_once([counts for pair in different for counts in pair]):
        return alone(rows[0], sizes, TRAINED_ONCE if different else "one network that both found")
    if len(pairs) == 1:
        errors = [of_retrainings([(1.0, counts) for counts in pairs[0]], sizes)]
        return run_interval(rows[0], sizes, errors, "retrainings and test images of one seed")
    values = values_of(np.stack([of_network(ours) - of_network(theirs) for ours, theirs in pairs]), sizes)
    errors = [Error(float(values.var(ddof=1)) / len(pairs), len(pairs) - 1)]
    return run_interval(rows[0], sizes, errors, "pairs and test images of one seed")


def interpolated_interval(groups: Sequence[Sequence[tuple[float, Counts]]], sizes: Array) -> Interval:
    """The mean difference between interpolated fronts over seeds; of one seed over its retrainings and images.

    With one seed the networks of the fronts, through which the interpolation goes, are taken as given.

    Args:
        groups: for each seed the networks of both searches with their weights, which sum to 1 for the first search and
            to -1 for the second; a network that both found is there once, with the sum of its weights.
        sizes: images of each cluster, `(clusters,)`.
    """
    groups = [group for group in groups if len(group)]
    if not groups:
        return NOTHING
    rows = [_weighted(group) for group in groups]
    if len(rows) > 1:
        return seeds_interval(rows, sizes)
    counted = [(weight, counts) for weight, counts in groups[0] if weight]
    if not counted or _trained_once([counts for _, counts in counted]):
        return alone(rows[0], sizes, TRAINED_ONCE)
    return run_interval(rows[0], sizes, [of_retrainings(counted, sizes)], "retrainings and test images of one seed")


def _weighted(group: Sequence[tuple[float, Counts]]) -> Array:
    return np.asarray(np.sum([weight * of_network(counts) for weight, counts in group], axis=0))


def pair_by_flops(
    first: Sequence[int], second: Sequence[int], *, tolerance: float | None = None
) -> list[tuple[int, int]]:
    """One-to-one pairs of networks with nearly equal FLOPs, the closest pair first; accuracies play no part.

    Args:
        first: FLOPs of the networks of the first search.
        second: FLOPs of the networks of the second search.
        tolerance: how much heavier one network of a pair may be, as a fraction; without a limit if not given.

    Returns:
        Positions in `first` and `second`; each network is in at most one pair.
    """
    ratios = [
        (max(ours, theirs) / min(ours, theirs) - 1, i, j)
        for i, ours in enumerate(first)
        for j, theirs in enumerate(second)
        if min(ours, theirs) > 0
    ]
    pairs: list[tuple[int, int]] = []
    used_first: set[int] = set()
    used_second: set[int] = set()
    for excess, i, j in sorted(ratios):
        if (tolerance is None or excess <= tolerance) and i not in used_first and j not in used_second:
            pairs.append((i, j))
            used_first.add(i)
            used_second.add(j)
    return pairs
