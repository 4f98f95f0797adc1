"""Networks as points: accuracy or distance against the cost of a network."""

import pandas as pd
from matplotlib.axes import Axes

from roco.config import StudyConfig
from roco.report.figures.style import Look, looks_in, say_empty, scale_counts
from roco.report.numbers.shares import Array

NO_NETWORKS = "no retrained network"
# Shared parts of captions.
BARS = (
    "Each retrained network is a point, the mean over its retrainings; its bar is the 95 % interval over them and test "
    "images."
)
TRENDS = (
    " Lines: least-squares trends in the logarithm of the FLOPs; bands: their 95 % intervals over seeds (of one "
    "seed over networks); none where a search has fewer than four networks, or a band would be wider than 50 points."
)


def scatter(axis: Axes, data: pd.DataFrame, config: StudyConfig, x: str) -> None:
    """Accuracies in percent against a count in millions, each network a point with its interval."""
    for index, (search, look) in enumerate(looks_in(data, config).items()):
        part = data[data["search"] == search]
        if "kind" in part:
            line, part = part[part["kind"] == "trend"], part[part["kind"] == "network"]
            positions = line[x].to_numpy(dtype=float) / 1e6
            value, low, high = (100 * line[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
            axis.fill_between(positions, low, high, color=look.colour, alpha=0.13, linewidth=0)
            axis.plot(positions, value, color=look.colour, linewidth=1.4)
        value, low, high = (100 * part[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
        _points(axis, part[x], value, (low, high), look, index)
    if data.empty:
        say_empty(axis, NO_NETWORKS)
    else:
        scale_counts(axis, list(data[x].to_numpy(dtype=float) / 1e6))


def scatter_distances(axis: Axes, data: pd.DataFrame, config: StudyConfig) -> None:
    """Distances of an attack without a budget against FLOPs in millions; bars are the range of retrainings."""
    shown = data[data["distance"].notna()]
    for index, (search, look) in enumerate(looks_in(shown, config).items()):
        part = shown[shown["search"] == search]
        value, low, high = (part[f"distance{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
        _points(axis, part["flops"], value, (low, high), look, index)
    if shown.empty:
        say_empty(axis, NO_NETWORKS if data.empty else "half of the images hold")
        return
    scale_counts(axis, list(shown["flops"].to_numpy(dtype=float) / 1e6))
    axis.set_ylim(0, 1.05 * axis.get_ylim()[1])


def _points(
    axis: Axes, counts: "pd.Series[int]", values: Array, bars: tuple[Array, Array], look: Look, index: int
) -> None:
    """Points of the search of this index with their bars, at counts in millions."""
    millions = counts.to_numpy(dtype=float) / 1e6
    axis.vlines(millions, *bars, colors=look.colour, alpha=0.3, linewidth=1.0)
    # Later markers are smaller, so that a network of several searches shows them all.
    size = max(4.0, 8.0 - 2.5 * index)
    axis.plot(millions, values, look.marker, color=look.colour, markersize=size, alpha=0.85, markeredgewidth=0)


def width_label(config: StudyConfig) -> str:
    """The width at which parameters and FLOPs are given."""
    return f"at {config.width_in_words('retraining')}"


def flops_label(config: StudyConfig) -> str:
    """The label of an axis of FLOPs."""
    return f"FLOPs (millions of multiply-adds, {width_label(config)})"
