"""The course of the hypervolume."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from roco.config import StudyConfig
from roco.report.figures.style import legend, looks_in, new_figure, say_empty
from roco.report.measures.searched import VOLUMES, hypervolume_course
from roco.report.read.collect import Study

CAPTION = (
    "A point is a generation. Thin: a seed; bold: the mean over seeds. Objectives scaled to the range of all searches, "
    "reference point at 1.1 in each, as a share of the box; larger is better."
)


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The hypervolume of each generation."""
    del config
    return hypervolume_course(study)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The hypervolume of each generation: each seed, and their mean."""
    figure, axes = new_figure(len(VOLUMES), height=5.2)
    for axis, names in zip(axes, VOLUMES, strict=True):
        part = data[data["objectives"] == " ".join(names)]
        for search, look in looks_in(part, config).items():
            of_search = part[part["search"] == search]
            for _, course in of_search.groupby("seed"):
                axis.plot(course["evaluations"], course["hypervolume"], color=look.colour, linewidth=0.9, alpha=0.5)
            mean = of_search.groupby("generation")[["evaluations", "hypervolume"]].mean()
            xy = mean["evaluations"], mean["hypervolume"]
            axis.plot(*xy, look.marker, ls="-", color=look.colour, markersize=4, linewidth=1.8)
        if part.empty:
            say_empty(axis, "no population")
        axis.set_title("in " + ", ".join(name.replace("_", " ").replace("flops", "FLOPs") for name in names))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_ylabel("Hypervolume (share of box)")
    axes[-1].set_xlabel("Networks evaluated by the search")
    legend(figure, looks_in(data, config).values())
    return figure
