"""The hypervolume of populations: how much of the space of objectives they dominate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

# The objectives in which every study reports its hypervolume, whatever its searches minimise.
VOLUME_OBJECTIVES = ("error", "adversarial_error", "flops")
# The reference point lies a tenth of the range beyond the worst value, so that extreme networks count too.
REFERENCE_POINT = 1.1


def hypervolumes(populations: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """The hypervolume of every population in the given objectives, all on one scale.

    Each objective is scaled so that its best and worst value among the successful networks of all searches, seeds and
    generations become 0 and 1; the reference point is 1.1 in each, and the volume is given as a share of the box
    between the best values and the reference point.

    Args:
        populations: columns search, seed, generation, evaluations, status and the objectives (smaller is better).
        objectives: the objectives to span the volume.

    Returns:
        search, seed, generation, evaluations, hypervolume (0 to 1; a population without a successful network has 0).
    """
    from pymoo.indicators.hv import HV

    successful = populations[populations["status"] == "ok"]
    values = successful[list(objectives)].to_numpy(dtype=float)
    rows = []
    best = values.min(axis=0) if len(values) else np.zeros(len(objectives))
    spread = (values.max(axis=0) if len(values) else np.ones(len(objectives))) - best
    spread[spread == 0] = 1.0
    indicator = HV(ref_point=np.full(len(objectives), REFERENCE_POINT))
    for population, members in populations.groupby(["search", "seed", "generation"], sort=True):
        points = members[members["status"] == "ok"][list(objectives)].to_numpy(dtype=float)
        volume = float(indicator((points - best) / spread)) if len(points) else 0.0
        rows.append((*population, members["evaluations"].iloc[0], volume / REFERENCE_POINT ** len(objectives)))
    return pd.DataFrame(rows, columns=["search", "seed", "generation", "evaluations", "hypervolume"])
