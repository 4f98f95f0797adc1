"""Medians of smallest perturbations with their intervals; distances may be infinite. No files, no wording."""

import math
from collections.abc import Sequence

import numpy as np

from roco.report.numbers.shares import Array
from roco.report.numbers.statistics import CONFIDENCE, NOTHING, SEEDS, Error, Interval, half_width
from roco.runtime import numpy_generator

RESAMPLES = 2000
Distances = Sequence[Array]


def mean_of_medians(groups: Sequence[Sequence[Distances]], *, purpose: str) -> Interval:
    """The mean over seeds of the mean within a seed of networks' median distances, with an interval.

    A network's median is the mean of the medians of its retrainings. The spread over seeds (of one seed over networks,
    of one network over retrainings) gives Student's t interval, the images a percentile bootstrap; both are added in
    squares. Images are drawn once for all networks: each takes the distance of the same rank among its own distances,
    as if all networks found the same images hard, which is cautious.

    Args:
        groups: for each seed its networks, each with the distances `(images,)` of each of its retrainings, infinite
            if nothing fooled an image; retrainings without images are left out.
        purpose: the name of the number, which seeds the bootstrap.
    """
    kept = [[[training for training in network if len(training)] for network in group] for group in groups]
    kept = [[network for network in group if network] for group in kept]
    kept = [group for group in kept if group]
    if not kept:
        return NOTHING
    most = max(len(training) for group in kept for network in group for training in network)
    ranks = _middle_ranks(most, numpy_generator("report", "medians", purpose))
    # In each resample, and last without resampling.
    of_networks = [
        [np.mean([_medians(training, ranks) for training in network], axis=0) for network in group] for group in kept
    ]
    of_seeds = [np.mean(group, axis=0) for group in of_networks]
    drawn = np.mean(of_seeds, axis=0)
    value = float(drawn[-1])
    tail = 50 * (1 - CONFIDENCE)
    # Not interpolated, because there may be infinite values.
    low, high = np.percentile(drawn[:-1], [tail, 100 - tail], method="inverted_cdf")
    units, basis = _units(kept, of_networks, of_seeds, ranks)
    if not math.isfinite(value):
        return Interval(value, float(low), float(high), basis)
    half = _half(units)
    below, above = math.hypot(half, value - float(low)), math.hypot(half, float(high) - value)
    return Interval(value, max(0.0, value - below), value + above, basis)


def _units(
    groups: Sequence[Sequence[Distances]],
    of_networks: Sequence[Sequence[Array]],
    of_seeds: Sequence[Array],
    ranks: Array,
) -> tuple[list[float], str]:
    """The values whose spread counts beside the images, and what the interval covers, in words."""
    if len(of_seeds) > 1:
        return [float(values[-1]) for values in of_seeds], SEEDS
    if len(of_networks[0]) > 1:
        return [float(values[-1]) for values in of_networks[0]], "networks and test images of one seed"
    trainings = [float(_medians(values, ranks)[-1]) for values in groups[0][0]]
    return trainings, "retrainings and test images" if len(trainings) > 1 else "test images, of this training alone"


def _half(values: Sequence[float]) -> float:
    count = len(values)
    return half_width([Error(float(np.var(values, ddof=1)) / count, count - 1)]) if count > 1 else 0.0


def _middle_ranks(count: int, generator: np.random.Generator) -> Array:
    """The rank, from 0 to 1, of the median of `count` draws with replacement among sorted distances, `(2, RESAMPLES)`.

    The rank of the middle draw is an order statistic of uniform numbers, which follows a beta distribution. For an even
    count the two middle draws are drawn together.
    """
    middle = (count + 1) // 2
    lower = generator.beta(middle, count - middle + 1, size=RESAMPLES)
    upper = lower if count % 2 else lower + (1 - lower) * generator.beta(1, count - middle, size=RESAMPLES)
    return np.stack([lower, upper])


def _medians(distances: Array, ranks: Array) -> Array:
    """The medians of resampled distances, given the two middle ranks of each; last the median of the distances."""
    ordered, last = np.sort(distances), len(distances) - 1
    lower, upper = (ordered[np.minimum((len(ordered) * rank).astype(np.int64), last)] for rank in ranks)
    middle = len(ordered) // 2
    # As numpy's median, but two infinite distances have an infinite mean, not NaN.
    own = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return np.append((lower + upper) / 2, own)
