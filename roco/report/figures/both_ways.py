"""Accuracy after the standard and after adversarial training, a point for each network."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.style import INK, legend, looks, new_figure, say_empty
from roco.report.measures.both_ways import Ways, both_ways
from roco.report.measures.compare import metric_title, searches_in
from roco.report.read.collect import Study

CAPTION = (
    "A point for each network: its accuracy after the standard training (x) and after adversarial training (y). On the "
    "line both are equal. Panels: clean test images; the radius of the main comparison if the study has a curve; the "
    "strongest attack."
)


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The accuracies of each network after both trainings, in the metrics that are drawn."""
    ways = Ways.of(study, config)
    measured = both_ways(ways)
    return measured[measured["metric"].isin(ways.shown)]


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A panel for each metric."""
    metrics = list(dict.fromkeys(data["metric"]))
    figure, axes = new_figure(1, max(1, len(metrics)), height=2.45)
    known, searches = looks(list(config.search.searches)), searches_in(data, config)
    for axis, metric in zip(axes, metrics, strict=False):
        _panel(axis, data[data["metric"] == metric], config)
        axis.set(title=metric_title(metric), xlabel="standard (%)")
    axes[0].set_ylabel("adversarially trained (%)")
    if not metrics:
        say_empty(axes[0], "no network was trained both ways")
    legend(figure, [known[search] for search in searches])
    return figure


def _panel(axis: Axes, data: pd.DataFrame, config: StudyConfig) -> None:
    axis.axline((0, 0), slope=1, color=INK, alpha=0.35, linewidth=0.8)
    for index, search in enumerate(searches_in(data, config)):
        look, part = looks(list(config.search.searches))[search], data[data["search"] == search]
        across, up = (100 * part[name].to_numpy(dtype=float) for name in ("standard", "adversarial"))
        # Later markers are smaller, so that a network of several searches shows them all.
        axis.plot(across, up, look.marker, color=look.colour, ms=max(4.0, 7.0 - 2 * index), alpha=0.85, mew=0)
    values = 100 * data[["standard", "adversarial"]].to_numpy(dtype=float)
    centre, reach = (values.max() + values.min()) / 2, max(5.0, 0.58 * (values.max() - values.min()))
    limits = (centre - reach, centre + reach)
    axis.set(xlim=limits, ylim=limits, aspect="equal")
