"""What Figures 3 and 4 share: the cost of the N lightest networks of each search."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from roco.config import StudyConfig
from roco.report.figures.scatter import NO_NETWORKS, width_label
from roco.report.figures.style import INK, legend, looks_in, new_figure, say_empty
from roco.report.measures.compare import lightest
from roco.report.read.collect import Study


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figures 3 and 4: FLOPs and parameters of the N lightest retrained networks of each search."""
    parts = [lightest(study.retrained, count).assign(top=count) for count in config.report.top]
    return pd.concat(parts, ignore_index=True)[["top", "search", "seed", "slot", "key", "flops", "parameters"]]


def draw_cost(data: pd.DataFrame, config: StudyConfig, column: str, label: str) -> Figure:
    """A point for each of the N lightest networks, a bar for their mean; a group for each N."""
    figure, [axis] = new_figure()
    shown = looks_in(data, config)
    for index, (search, look) in enumerate(shown.items()):
        offset = (index - (len(shown) - 1) / 2) * 0.8 / len(shown)
        for group, count in enumerate(config.report.top):
            part = data[(data["search"] == search) & (data["top"] == count)]
            values = part[column].to_numpy(dtype=float) / 1e6
            if len(values):
                spread = [offset + 0.1 * (i / max(1, len(values) - 1) - 0.5) for i in range(len(values))]
                positions = [group + shift for shift in spread]
                axis.plot(positions, values, look.marker, color=look.colour, alpha=0.6, markersize=5)
                ends = group + offset - 0.12, group + offset + 0.12
                axis.hlines(values.mean(), *ends, colors=look.colour, linewidth=2.2)
    if data.empty:
        say_empty(axis, NO_NETWORKS)
    else:
        axis.set_xticks(range(len(config.report.top)), [f"top-{count}" for count in config.report.top])
        axis.set_xlim(-0.5, len(config.report.top) - 0.5)
        axis.set_ylim(0, 1.05 * axis.get_ylim()[1])
        axis.grid(visible=False, axis="x")
    axis.set(xlabel="The N lightest networks of each search and seed", ylabel=f"{label}\n({width_label(config)})")
    mean = Line2D([], [], color=INK, linewidth=2.2, label="mean")
    legend(figure, shown.values(), extra=[mean] if shown else [])
    return figure
