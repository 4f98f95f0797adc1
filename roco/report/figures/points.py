"""Accuracies of retrained networks as the points of a figure, and trends through them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from roco.report.measures.measured import interval_of, measurements
from roco.report.numbers.relations import FEWEST, trend
from roco.report.read.collect import REFERENCES, Study, rows_of
from roco.runtime import numpy_generator

POINT = ["search", "seed", "slot", "key", "parameters", "flops", "metric", "accuracy", "low", "high", "retrainings"]


def points(study: Study, metrics: Sequence[str]) -> pd.DataFrame:
    """Accuracies of retrained networks, with the interval over their images and retrainings."""
    measured = measurements(study)
    measured = measured[measured["metric"].isin(metrics)]
    shares = [interval_of(row) for row in rows_of(measured)]
    measured = measured.assign(low=[s.low for s in shares], high=[s.high for s in shares])
    parameters = study.retrained[["search", "seed", "slot", "parameters"]]
    return measured.merge(parameters, on=["search", "seed", "slot"])[POINT]


# The number of points of a trend, and the largest width of its band.
_TREND_POINTS, _WIDEST_BAND = 25, 0.5


def with_trends(networks: pd.DataFrame) -> pd.DataFrame:
    """The networks and, for each search and metric, a trend of the accuracy in the logarithm of the FLOPs.

    `kind` is `network` for a network and `trend` for a point of a least-squares line with its 95 % band. There is no
    trend for a search with fewer than four networks or fewer than three different numbers of FLOPs, nor if the band is
    somewhere wider than 50 points.
    """
    parts = [networks.assign(kind="network")]
    for (search, metric), group in networks[networks["search"] != REFERENCES].groupby(["search", "metric"], sort=True):
        flops = group["flops"].to_numpy(dtype=float)
        if len(flops) < FEWEST or len(set(flops)) < 3 or flops.min() <= 0:
            continue
        positions = np.linspace(np.log10(flops.min()), np.log10(flops.max()), _TREND_POINTS)
        generator = numpy_generator("report", "trend", str(search), str(metric))
        accuracy, seeds = group["accuracy"].to_list(), group["seed"].to_list()
        bounds = trend(np.log10(flops).tolist(), accuracy, seeds, at=positions.tolist(), generator=generator)
        numbers = {name: np.clip(f, 0, 1) for name, f in zip(("accuracy", "low", "high"), bounds, strict=True)}
        if (numbers["high"] - numbers["low"]).max() > _WIDEST_BAND:
            continue
        line = pd.DataFrame({"search": search, "metric": metric, "flops": np.rint(10**positions), **numbers})
        parts.append(line.assign(kind="trend").astype({"flops": "Int64"}))
    return pd.concat(parts, ignore_index=True)
