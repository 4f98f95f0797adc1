"""Figure 5: accuracy under PGD and FLOPs."""

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.points import points, with_trends
from roco.report.figures.scatter import BARS, TRENDS, flops_label, scatter
from roco.report.figures.style import legend, looks_in, new_figure
from roco.report.measures.compare import attack_of
from roco.report.read.collect import Study

CAPTION = BARS + TRENDS


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 5: accuracy under PGD and FLOPs of every retrained network, with trends."""
    name = attack_of(config, "pgd")
    return with_trends(points(study, [] if name is None else [name]))


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A point for each network with its interval, a trend for each search."""
    figure, [axis] = new_figure()
    scatter(axis, data, config, "flops")
    axis.set(xlabel=flops_label(config), ylabel="Accuracy under PGD (%)")
    legend(figure, looks_in(data, config).values())
    return figure
