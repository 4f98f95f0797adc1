"""Medians of smallest perturbations with their intervals; distances may be infinite. No files, no wording."""

from collections.abc import Sequence

import numpy as np

from roco.report.statistics import CONFIDENCE, NOTHING, RESAMPLES, Array, Interval
from roco.runtime import numpy_generator


def mean_of_medians(groups: Sequence[Sequence[Array]], *, purpose: str) -> Interval:
    """The mean over seeds of the mean within a seed of networks' median distances, with a percentile bootstrap.

    Over seeds, networks and test images; over test images alone for a single network.

    Args:
        groups: for each seed its networks' distances `(images,)`, infinite where nothing fooled an image; networks
            without images are left out.
        purpose: what the number is for; seeds the bootstrap.
    """
    kept = [[distances for distances in group if len(distances)] for group in groups]
    kept = [group for group in kept if group]
    if not kept:
        return NOTHING
    generator = numpy_generator("report", "medians", purpose)
    value = float(np.mean([np.mean([_median(distances) for distances in group]) for group in kept]))
    chosen = generator.integers(len(kept), size=(len(kept), RESAMPLES))
    draws = np.zeros(RESAMPLES)
    for place in range(len(kept)):
        within = np.stack([_resampled(group, generator) for group in kept])
        draws += within[chosen[place], np.arange(RESAMPLES)]
    tail = 50 * (1 - CONFIDENCE)
    # Not interpolated: between a number and infinity there is nothing.
    low, high = np.percentile(draws / len(kept), [tail, 100 - tail], method="inverted_cdf")
    alone = sum(map(len, kept)) == 1
    unit = "networks and test images"
    basis = "test images" if alone else f"seeds, {unit}" if len(kept) > 1 else f"{unit} of one seed"
    return Interval(value, float(low), float(high), basis)


def _median(distances: Array) -> float:
    ordered = np.sort(distances)
    middle = len(ordered) // 2
    # As numpy's, but that two infinite ones have an infinite mean and not none.
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _resampled(group: Sequence[Array], generator: np.random.Generator) -> Array:
    """Means of the medians of networks drawn anew on images drawn anew, `(RESAMPLES,)`."""
    chosen = generator.integers(len(group), size=(len(group), RESAMPLES))
    total = np.zeros(RESAMPLES)
    for place in range(len(group)):
        medians = np.stack([median_draws(distances, generator) for distances in group])
        total += medians[chosen[place], np.arange(RESAMPLES)]
    return total / len(group)


def median_draws(distances: Array, generator: np.random.Generator) -> Array:
    """Medians of as many distances drawn with replacement, `(RESAMPLES,)`, without drawing them all.

    The place of the middle draw among the sorted distances is that of an order statistic of uniform numbers, which
    follows a beta distribution; of an even number the two middle ones are drawn together.
    """
    ordered, count = np.sort(distances), len(distances)
    middle = (count + 1) // 2
    lower = generator.beta(middle, count - middle + 1, size=RESAMPLES)
    upper = lower if count % 2 else lower + (1 - lower) * generator.beta(1, count - middle, size=RESAMPLES)
    places = [np.minimum((count * place).astype(np.int64), count - 1) for place in (lower, upper)]
    return np.asarray((ordered[places[0]] + ordered[places[1]]) / 2)
