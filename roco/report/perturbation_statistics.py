"""Medians of smallest perturbations with their intervals; distances may be infinite. No files, no wording."""

from collections.abc import Sequence

import numpy as np

from roco.report.resampling import Array
from roco.report.statistics import CONFIDENCE, NOTHING, RESAMPLES, Interval
from roco.runtime import numpy_generator

Distances = Sequence[Array]


def mean_of_medians(groups: Sequence[Sequence[Distances]], *, purpose: str) -> Interval:
    """The mean over seeds of the mean within a seed of networks' median distances, with a percentile bootstrap.

    A network's median is the mean of those of its retrainings. Over seeds, networks, retrainings and test images; over
    the last two alone for a single network.

    Args:
        groups: for each seed its networks, each with the distances `(images,)` of each of its retrainings, infinite
            where nothing fooled an image; retrainings without images are left out.
        purpose: what the number is for; seeds the bootstrap.
    """
    kept = [[[one for one in network if len(one)] for network in group] for group in groups]
    kept = [[network for network in group if network] for group in kept]
    kept = [group for group in kept if group]
    if not kept:
        return NOTHING
    generator = numpy_generator("report", "medians", purpose)
    value = float(np.mean([np.mean([np.mean([*map(_median, network)]) for network in group]) for group in kept]))
    chosen = generator.integers(len(kept), size=(len(kept), RESAMPLES))
    draws = np.zeros(RESAMPLES)
    for place in range(len(kept)):
        within = np.stack([_resampled(group, generator) for group in kept])
        draws += within[chosen[place], np.arange(RESAMPLES)]
    tail = 50 * (1 - CONFIDENCE)
    # Not interpolated: between a number and infinity there is nothing.
    low, high = np.percentile(draws / len(kept), [tail, 100 - tail], method="inverted_cdf")
    return Interval(value, float(low), float(high), _basis(kept))


def _basis(groups: Sequence[Sequence[Distances]]) -> str:
    several = any(len(network) > 1 for group in groups for network in group)
    unit = "retrainings and test images" if several else "test images"
    if sum(map(len, groups)) == 1:
        return unit
    unit = f"networks, {unit}" if several else f"networks and {unit}"
    return f"seeds, {unit}" if len(groups) > 1 else f"{unit} of one seed"


def _median(distances: Array) -> float:
    ordered = np.sort(distances)
    middle = len(ordered) // 2
    # As numpy's, but that two infinite ones have an infinite mean and not none.
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _resampled(group: Sequence[Distances], generator: np.random.Generator) -> Array:
    """Means of the medians of networks drawn anew, as of their retrainings, on images drawn anew, `(RESAMPLES,)`."""
    chosen = generator.integers(len(group), size=(len(group), RESAMPLES))
    total = np.zeros(RESAMPLES)
    for place in range(len(group)):
        medians = np.stack([network_draws(network, generator) for network in group])
        total += medians[chosen[place], np.arange(RESAMPLES)]
    return total / len(group)


def network_draws(network: Distances, generator: np.random.Generator) -> Array:
    """Means of the medians of retrainings drawn with replacement, each on as many images drawn anew, `(RESAMPLES,)`.

    The images are drawn once for all retrainings of a network, as of accuracies (see roco.report.resampling): all take
    the distance at the same place among their sorted ones. That is cautious.
    """
    places = _middle_places(max(map(len, network)), generator)
    medians = np.stack([_at(distances, places) for distances in network])
    if len(network) == 1:
        return np.asarray(medians[0])
    chosen = generator.integers(len(network), size=(len(network), RESAMPLES))
    return np.asarray(np.take_along_axis(medians, chosen, axis=0).mean(axis=0))


def _middle_places(count: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Where the median of `count` draws with replacement is among the sorted distances, from 0 to 1, `(RESAMPLES,)`.

    The place of the middle draw is that of an order statistic of uniform numbers, which follows a beta distribution; of
    an even number the two middle ones are drawn together.
    """
    middle = (count + 1) // 2
    lower = generator.beta(middle, count - middle + 1, size=RESAMPLES)
    upper = lower if count % 2 else lower + (1 - lower) * generator.beta(1, count - middle, size=RESAMPLES)
    return lower, upper


def _at(distances: Array, places: tuple[Array, Array]) -> Array:
    """The mean of the distances at two places among the sorted ones."""
    ordered, last = np.sort(distances), len(distances) - 1
    lower, upper = (ordered[np.minimum((len(ordered) * place).astype(np.int64), last)] for place in places)
    return np.asarray((lower + upper) / 2)
