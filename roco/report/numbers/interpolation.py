"""Two fronts compared at equal FLOPs by interpolation: the difference as a weighted sum of measured accuracies.

Between two networks of a search the accuracy is taken to be linear in the logarithm of FLOPs. Beyond its lightest and
its heaviest network nothing is assumed: only the range that both searches cover counts.
"""

from collections.abc import Sequence

import numpy as np

from roco.report.numbers.shares import Array


def interpolation_weights(first: Sequence[float], second: Sequence[float]) -> tuple[Array, Array] | None:
    """The weights of each network's accuracy in the mean difference of two interpolated fronts.

    The mean is over the FLOPs of all networks that lie in the common range; the weights of the first sum to 1, those of
    the second to -1.

    Args:
        first: FLOPs of the networks of the one search.
        second: FLOPs of those of the other.

    Returns:
        The weights of the first and of the second; None, if their ranges have nothing in common.
    """
    if not len(first) or not len(second):
        return None
    low, high = max(min(first), min(second)), min(max(first), max(second))
    shared = sorted({value for value in (*first, *second) if low <= value <= high})
    if not shared:
        return None
    return _mean_weights(first, shared), -_mean_weights(second, shared)


def _mean_weights(flops: Sequence[float], flops_at: Sequence[float]) -> Array:
    """How much each network's accuracy counts in the mean of the interpolated ones at `flops_at`."""
    at, of_network, shared = np.unique(np.asarray(flops, dtype=float), return_inverse=True, return_counts=True)
    basis = np.eye(len(at))
    weights = np.array([np.interp(np.log(flops_at), np.log(at), row).mean() for row in basis])
    # Networks of equal FLOPs are one point, their mean.
    return np.asarray((weights / shared)[of_network])
