"""Transfer between the targets as heat maps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.style import INK, new_figure, say_empty
from roco.report.measures.targets import NORM_TITLES, TARGET_TITLES
from roco.report.measures.transfer import transfer_shares
from roco.report.read.collect import Study, rows_of

CAPTION = (
    "Of the test images that fool the target at the left, and that the target below had right before: the percentage "
    "that fools the target below too. Last row: random noise of the same budget on the same images (k pixels in corner "
    "colours, or every value moved by the threshold)."
)
NOISE = "noise"


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The shares of each pair of targets."""
    del config
    return transfer_shares(study)


def draw(numbers: pd.DataFrame, config: StudyConfig) -> Figure:
    """A heat map for each norm and threshold: rows are sources and noise, columns the other targets."""
    thresholds = config.adversarial.thresholds
    targets = [name for name in TARGET_TITLES if name in set(numbers["target"])]
    if not targets:
        figure, [axis] = new_figure(height=2.0)
        say_empty(axis, "a single target: nothing to transfer to")
        return figure
    figure, axes = new_figure(len(NORM_TITLES), len(thresholds), height=4.4)
    cells = [(norm, threshold) for norm in NORM_TITLES for threshold in thresholds]
    for number, (axis, (norm, threshold)) in enumerate(zip(axes, cells, strict=True)):
        part = numbers[(numbers["norm"] == norm) & (numbers["threshold"] == threshold)]
        _heat_map(axis, matrix(part, targets))
        titles = [TARGET_TITLES[name] for name in targets]
        first, last = number % len(thresholds) == 0, number >= len(thresholds)
        axis.set_yticks(
            np.arange(len(titles) + 1) + 0.5, [*titles, NOISE] if first else [""] * (len(titles) + 1), fontsize=7
        )
        axis.set_xticks(np.arange(len(titles)) + 0.5, titles if last else [""] * len(titles), fontsize=7, rotation=90)
        axis.set_title(f"{NORM_TITLES[norm]} {threshold}")
    return figure


def matrix(part: pd.DataFrame, targets: list[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Shares `(targets + 1, targets)` of one norm and threshold: a row for each source, the last for noise.

    NaN for a source on itself, and if no image counts.
    """
    values = np.full((len(targets) + 1, len(targets)), np.nan)
    for row in rows_of(part):
        values[targets.index(row.source), targets.index(row.target)] = row.share
    for column, name in enumerate(targets):
        of_target = part[part["target"] == name]
        if images := int(of_target["images"].sum()):
            values[-1, column] = of_target["noise"].sum() / images
    return values


def _heat_map(axis: Axes, values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> None:
    axis.pcolormesh(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value > 0.55 else INK
            centre = (column + 0.5, row + 0.5)
            axis.text(*centre, f"{100 * value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    axis.invert_yaxis()
    axis.set_aspect("equal")
    axis.grid(visible=False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
