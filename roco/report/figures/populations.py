"""The final populations and their fronts: both errors against FLOPs."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from roco.config import StudyConfig
from roco.report.figures.style import INK, legend, looks_in, new_figure, say_empty, scale_counts
from roco.report.measures.searched import searched_networks
from roco.report.read.collect import Study

CAPTION = (
    "As the searches saw the networks: on validation images and the validation adversarial set. The CSV file has every "
    "network that a search evaluated."
)


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Every network that a search evaluated."""
    del config
    return searched_networks(study)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The last populations: both errors against FLOPs."""
    figure, axes = new_figure(2, height=6.0)
    data = data[data["last"] == data.groupby(["search", "seed"])["last"].transform("max")]
    for axis, column in zip(axes, ("error", "adversarial_error"), strict=True):
        for search, look in looks_in(data, config).items():
            for in_front, face in ((False, "none"), (True, look.colour)):
                part = data[(data["search"] == search) & (data["front"] == in_front)]
                axis.plot(
                    part["flops"].to_numpy(dtype=float) / 1e6,
                    100 * part[column].to_numpy(dtype=float),
                    look.marker,
                    color=look.colour,
                    markerfacecolor=face,
                    markersize=5,
                    alpha=0.8,
                )
        if data.empty:
            say_empty(axis, "no population")
        else:
            scale_counts(axis, list(data["flops"].to_numpy(dtype=float) / 1e6))
        axis.set_ylabel(f"{column.replace('_', ' ').capitalize()} (%)")
    axes[-1].set_xlabel(f"FLOPs (millions of multiply-adds, at {config.width_in_words('evaluation')})")
    hollow = Line2D(
        [], [], color=INK, marker="o", markerfacecolor="none", ls="", markersize=5, label="hollow: not in the front"
    )
    legend(figure, looks_in(data, config).values(), extra=[hollow])
    return figure
