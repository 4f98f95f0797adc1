"""Networks and their retrainings as an array: what a network's value is, and how it is drawn anew. The only such place.

The networks that a search found with one seed are an array `(networks, retrainings + 1)`: the accuracy after each
retraining, NaN behind the last of a network that has fewer than others, and in the last column the number of test
images, which all retrainings of a network saw.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def group_of(networks: Sequence[tuple[Sequence[float], int]]) -> Array:
    """The array of networks, each given by the accuracies of its retrainings and its number of images."""
    width = max((len(accuracies) for accuracies, _ in networks), default=1)
    group = np.full((len(networks), width + 1), np.nan)
    for place, (accuracies, images) in enumerate(networks):
        group[place, : len(accuracies)] = accuracies
        group[place, -1] = images
    return group


def values_of(group: Array) -> Array:
    """Each network's value, `(networks,)`: the mean over its retrainings."""
    return np.asarray(np.nanmean(group[:, :-1], axis=1))


def most_retrainings(group: Array) -> int:
    """How many retrainings the networks have that have the most."""
    return int((~np.isnan(group[:, :-1])).sum(axis=1).max(initial=0))


def redrawn(group: Array, chosen: Places, generator: np.random.Generator) -> Array:
    """Values of the chosen networks from as many retrainings drawn with replacement, on as many test images drawn anew.

    The images are drawn once for all retrainings of a network, as if these agreed on each image: they saw the same
    ones, and so the noise of the images does not shrink with the number of retrainings. Where they disagree, this is
    cautious.

    Args:
        group: the networks, `(networks, retrainings + 1)`.
        chosen: positions in it, of any shape.
        generator: the source of the resampling.

    Returns:
        In the shape of `chosen`.
    """
    values, images = means_redrawn(group, chosen, generator), group[chosen, -1].astype(np.int64)
    return np.asarray(generator.binomial(images, values) / images)


def means_redrawn(group: Array, chosen: Places, generator: np.random.Generator) -> Array:
    """Means of the chosen networks over as many retrainings drawn with replacement, on the same images."""
    accuracies = group[:, :-1]
    if accuracies.shape[1] == 1:
        return np.asarray(accuracies[chosen, 0])
    there = (~np.isnan(accuracies)).sum(axis=1)[chosen][..., np.newaxis]
    drawn = (generator.random((*chosen.shape, accuracies.shape[1])) * there).astype(np.int64)
    picked = accuracies[chosen[..., np.newaxis], drawn]
    counted = np.arange(accuracies.shape[1]) < there
    # Rounding may lead beyond the accuracies that were measured.
    return np.asarray(np.clip(np.where(counted, picked, 0).sum(axis=-1) / there[..., 0], 0, 1))
