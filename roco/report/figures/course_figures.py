"""How the searches went: the course of the hypervolume, and the final populations."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from roco.config import StudyConfig
from roco.report.figures import figure_data
from roco.report.figures.style import INK, legend, looks, new_figure, say_empty, scale_counts


def draw_hypervolume(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The hypervolume of each generation: each seed, and their mean."""
    figure, axes = new_figure(len(figure_data.VOLUMES), height=5.2)
    known = looks(list(config.search.searches))
    for axis, names in zip(axes, figure_data.VOLUMES, strict=True):
        part = data[data["objectives"] == " ".join(names)]
        for search in figure_data.searches_in(part, config):
            look, of_search = known[search], part[part["search"] == search]
            for _, course in of_search.groupby("seed"):
                axis.plot(course["evaluations"], course["hypervolume"], color=look.colour, linewidth=0.9, alpha=0.5)
            mean = of_search.groupby("generation")[["evaluations", "hypervolume"]].mean()
            axis.plot(
                mean["evaluations"],
                mean["hypervolume"],
                look.marker,
                ls="-",
                color=look.colour,
                markersize=4,
                linewidth=1.8,
            )
        if part.empty:
            say_empty(axis, "no population")
        axis.set_title("in " + ", ".join(name.replace("_", " ").replace("flops", "FLOPs") for name in names))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylabel("Hypervolume (share of box)")
    axes[-1].set_xlabel("Networks evaluated by the search")
    legend(figure, [known[search] for search in figure_data.searches_in(data, config)])
    return figure


def draw_populations(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The last populations: both errors against FLOPs."""
    figure, axes = new_figure(2, height=6.0)
    known = looks(list(config.search.searches))
    data = data[data["last"] == data.groupby(["search", "seed"])["last"].transform("max")]
    for axis, column in zip(axes, ("error", "adversarial_error"), strict=True):
        for search in figure_data.searches_in(data, config):
            look = known[search]
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
    legend(figure, [known[search] for search in figure_data.searches_in(data, config)], extra=[hollow])
    return figure
