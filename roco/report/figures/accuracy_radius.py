"""Accuracy against radius, a line for each search."""

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.style import legend, looks_in, new_figure, say_empty
from roco.report.measures.curves import accuracy_curves
from roco.report.read.collect import Study

CAPTION = (
    "The share of test images that no attack fools within an L∞ radius, worst case over all attacks for each image; "
    "mean over the networks of a search. Bands: 95 % intervals over seeds (Student's t; of one seed over its networks) "
    "and the test images that all share. At 0 the accuracy on the same images without an attack."
)


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Mean accuracy of each search's networks at each radius."""
    return accuracy_curves(study, config)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A line for each search with its band."""
    figure, [axis] = new_figure()
    shown = looks_in(data, config)
    for search, look in shown.items():
        part = data[data["search"] == search]
        value, low, high = (100 * part[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
        radius = part["radius"].to_numpy(dtype=float)
        axis.fill_between(radius, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axis.plot(radius, value, look.marker, ls="-", color=look.colour, markersize=4.5, linewidth=1.6)
    if shown:
        axis.set_ylim(0, 100)
    else:
        say_empty(axis, "no radii were searched")
    axis.set(xlabel="L∞ radius (1/255)", ylabel="Images that hold (%)")
    legend(figure, shown.values())
    return figure
