"""Shares of right images, and how far they would move with other images.

Images come in clusters: a test image is a cluster of its own; adversarial images that were made from the same test
image form a cluster. A network is an array `(retrainings, clusters)`: how many images of each cluster each retraining
has right. The networks of a search, and the difference of two searches, are weighted sums of such rows, `(clusters,)`,
all on the same images. The error through the images is estimated from these rows: shares of the same images never count
as independent.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[Any]]

# With fewer clusters with a right image, or with a wrong image, it is unknown how far a share moves.
FEWEST_CLUSTERS = 10


def from_marks(text: str) -> Counts:
    """The row of images that are clusters of their own, uint8 `(images,)`, from one character (1 or 0) per image."""
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8) - ord("0")


def of_network(counts: Counts) -> Array:
    """A network's row, `(clusters,)`: the mean over its retrainings, `(retrainings, clusters)`."""
    return np.asarray(counts.mean(axis=0), dtype=np.float64)


def mean_of(networks: Sequence[Counts]) -> Array:
    """The row of several networks, `(clusters,)`: their mean."""
    return np.asarray(np.mean([of_network(counts) for counts in networks], axis=0))


def values_of(rows: Array, sizes: Array) -> Array:
    """The share of each row `(rows, clusters)`, given the images of each cluster."""
    return np.asarray(rows.sum(axis=1) / sizes.sum())


def movements(rows: Array, sizes: Array) -> Array:
    """What each cluster adds to the error of each row's share, `(rows, clusters)`.

    Over images drawn anew, two shares have the sum of the products of their movements as covariance.

    Source: Cochran, Sampling Techniques, 1977, Section 9A.2 (cluster sampling, the ratio estimate).
    """
    errors = (rows - values_of(rows, sizes)[:, np.newaxis] * sizes) / sizes.sum()
    clustered = len(sizes) > 1 and bool((sizes != sizes[0]).any() or sizes[0] != 1)
    return np.asarray(errors * math.sqrt(len(sizes) / (len(sizes) - 1)) if clustered else errors)


def variance_of(row: Array, sizes: Array) -> float:
    """The variance of one row's share over images drawn anew."""
    return float((movements(row[np.newaxis], sizes) ** 2).sum())


def shared_variance(rows: Array, sizes: Array) -> float:
    """The variance that all rows share because of the images: the mean covariance of two of their shares, at least 0.

    The spread of the rows' shares covers everything else. Source: Obuchowski and Rockette, "Hypothesis testing of
    diagnostic accuracy for multiple readers and multiple tests", Commun. Stat. Simul. 1995 (readers are seeds here).
    """
    moved, count = movements(rows, sizes), len(rows)
    together = float((moved.sum(axis=0) ** 2).sum() - (moved**2).sum())
    return max(0.0, together / (count * (count - 1)))


def independent_images(rows: Array, sizes: Array) -> float:
    """The number of independent images with the same error of the rows' mean share, without the rows' own spread.

    If few clusters have a right image, or few have a wrong image, it is at most the number of clusters, because little
    is known about other images.
    """
    row = rows.mean(axis=0)
    share = float(row.sum() / sizes.sum())
    ends = min(int((row > 0).sum()), int((row < sizes).sum()))
    many = ends >= FEWEST_CLUSTERS
    variance = shared_variance(rows, sizes) if many and len(rows) > 1 else variance_of(row, sizes)
    equivalent = share * (1 - share) / variance if variance > 0 else math.inf
    return equivalent if many else min(equivalent, float(len(sizes)))
