"""Clean accuracy and accuracy under attack: the study's networks among those of published benchmarks."""

import pandas as pd
from matplotlib.figure import Figure

from roco.attacks.white_box import title_of
from roco.config import StudyConfig
from roco.report.figures.style import PUBLISHED_COLOUR, legend, looks, new_figure, say_empty
from roco.report.measures.compare import searches_in
from roco.report.measures.outside import benchmarks_of, own_networks
from roco.report.read.collect import Study

CAPTION = (
    "A point for each network: of the benchmarks in report.benchmarks (grey), and of the study under an attack of the "
    "same name and budget. The networks of NAS-RobBench-201 were trained with adversarial images, the study's were not."
)
PANELS = (("NAS-Bench-201", "pgd", 1.0), ("NAS-RobBench-201", "autoattack", 8.0))


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The networks of the benchmarks' panels, and the study's under the same attacks; empty without benchmarks."""
    own, benchmarks = own_networks(study, config), benchmarks_of(study, config)
    parts = []
    for name, method, eps in PANELS:
        theirs = benchmarks[benchmarks["benchmark"] == name]
        theirs = theirs[(theirs["method"] == method) & (theirs["eps"] == eps)]
        if len(theirs):
            ours = own[(own["method"] == method) & (own["eps"] == eps)]
            parts += [part.assign(panel=name) for part in (theirs, ours)]
    columns = ["panel", "benchmark", "network", "search", "seed", "slot", "method", "eps", "clean", "robust"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else pd.DataFrame(columns=columns)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A panel for each benchmark."""
    panels = [panel for panel in PANELS if panel[0] in set(data["panel"])]
    figure, axes = new_figure(1, max(1, len(panels)))
    known = looks(list(config.search.searches))
    if not panels:
        say_empty(axes[0], "no benchmark in report.benchmarks")
        return figure
    for axis, (name, method, eps) in zip(axes, panels, strict=True):
        part = data[data["panel"] == name]
        theirs = part[part["benchmark"].notna()]
        # As pixels: thousands of points as shapes would make the page slow.
        axis.scatter(*_percent(theirs), s=3, color=PUBLISHED_COLOUR, alpha=0.35, linewidths=0, rasterized=True)
        for search in searches_in(part, config):
            ours = _percent(part[part["search"] == search])
            axis.plot(*ours, known[search].marker, color=known[search].colour, markersize=4.5)
        axis.set_title(f"{name}\n{title_of(method)}, {eps:g}/255")
        axis.set_xlabel("Clean accuracy (%)")
    axes[0].set_ylabel("Accuracy under attack (%)")
    legend(figure, [known[search] for search in searches_in(data, config)])
    return figure


def _percent(networks: pd.DataFrame) -> "tuple[pd.Series[float], pd.Series[float]]":
    """Clean accuracies and accuracies under attack in percent."""
    return 100 * networks["clean"].astype(float), 100 * networks["robust"].astype(float)
