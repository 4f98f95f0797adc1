"""Two fronts compared at equal FLOPs by interpolation: the difference as a weighted sum of measured accuracies.

Between two networks of a search the accuracy is taken as linear in the logarithm of FLOPs. Nothing is assumed beyond
its lightest and its heaviest network: only the range that both searches cover counts.
"""

from collections.abc import Sequence

import numpy as np

from roco.report.numbers.shares import Array


def interpolation_weights(first: Sequence[float], second: Sequence[float]) -> tuple[Array, Array] | None:
    """The weights of each network's accuracy in the mean difference of two interpolated fronts.

    The mean is over the FLOPs of all networks in the common range. The weights of the first search sum to 1, those of
    the second to -1.

    Args:
        first: FLOPs of the networks of the first search.
        second: FLOPs of the networks of the second search.

    Returns:
        The weights of both searches; None if their ranges do not overlap.
    """
    if not len(first) or not len(second):
        return None
    low, high = max(min(first), min(second)), min(max(first), max(second))
    shared = sorted({value for value in (*first, *second) if low <= value <= high})
    if not shared:
        return None
    return _mean_weights(first, shared), -_mean_weights(second, shared)


def _mean_weights(flops: Sequence[float], flops_at: Sequence[float]) -> Array:
    """The weight of each network's accuracy in the mean of the interpolated accuracies at `flops_at`."""
    knots, of_network, shared = np.unique(np.asarray(flops, dtype=float), return_inverse=True, return_counts=True)
    basis = np.eye(len(knots))
    weights = np.array([np.interp(np.log(flops_at), np.log(knots), row).mean() for row in basis])
    # Networks of equal FLOPs are one point, their mean.
    return np.asarray((weights / shared)[of_network])
