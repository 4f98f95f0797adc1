"""Figure 2: test accuracy and parameters."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from roco.config import StudyConfig
from roco.report.figures.points import points
from roco.report.figures.scatter import BARS, scatter, width_label
from roco.report.figures.style import PUBLISHED_COLOUR, legend, looks_in, new_figure, scale_counts
from roco.report.measures.measured import TEST
from roco.report.measures.paper import PUBLISHED_NETWORKS
from roco.report.read.collect import Study

CAPTION = (
    BARS + " References: given genomes, retrained here like the others. Published (CIFAR-10 only): as their authors "
    "report them, after 300 epochs or more; their sources are at the end of the page."
)
# Labels at the left, so that they overlap neither each other nor our networks, which are smaller.
_LABEL_LEFT = ("DARTS", "NSGA-Net", "SMASH")


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 2: test accuracy and parameters; for CIFAR-10 also of networks that others published."""
    ours = points(study, [TEST]).assign(published="")
    if config.dataset.name != "cifar10":
        return ours
    published = pd.DataFrame(
        [
            {
                "search": "",
                "published": n.name,
                "parameters": n.parameters,
                "metric": TEST,
                "accuracy": 1 - n.test_error,
            }
            for n in PUBLISHED_NETWORKS
        ],
        columns=ours.columns,
    ).astype(ours.dtypes)
    return pd.concat([ours, published], ignore_index=True)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """Our networks as points with intervals, published networks as labelled stars."""
    figure, [axis] = new_figure()
    published = data[data["published"] != ""]
    scatter(axis, data[data["published"] == ""], config, "parameters")
    for name, parameters, accuracy in published[["published", "parameters", "accuracy"]].itertuples(
        index=False, name=None
    ):
        point = (float(parameters) / 1e6, 100 * float(accuracy))
        axis.plot(*point, "*", color=PUBLISHED_COLOUR, markersize=8, markeredgewidth=0)
        left = name in _LABEL_LEFT
        axis.annotate(
            name,
            point,
            xytext=(-6 if left else 6, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
        )
    if len(published):
        scale_counts(axis, list(data["parameters"].to_numpy(dtype=float) / 1e6))
        axis.margins(x=0.14)
    axis.set(xlabel=f"Parameters (millions, {width_label(config)})", ylabel="Test accuracy (%)")
    stars = Line2D([], [], color=PUBLISHED_COLOUR, marker="*", linestyle="", markersize=8, label="published")
    legend(figure, looks_in(data, config).values(), extra=[stars] if len(published) else [])
    return figure
