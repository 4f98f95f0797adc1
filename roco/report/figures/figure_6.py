"""Figure 6: accuracy under the other white-box attacks and FLOPs."""

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.points import points, with_trends
from roco.report.figures.scatter import BARS, TRENDS, flops_label, scatter, scatter_distances
from roco.report.figures.style import legend, looks_in, new_figure
from roco.report.measures.compare import attack_of, metric_title
from roco.report.measures.distances import distances
from roco.report.read.collect import Study

CAPTION = (
    BARS
    + TRENDS
    + " DeepFool, C&W and FAB have no budget: for them the median length of the perturbations over the images that "
    "were right before, the mean over retrainings, with their range. The share of images that they leave right is in "
    "the CSV file and says whether they failed."
)


def _names(config: StudyConfig) -> list[str]:
    """The attacks of Figure 6: all except that of Figure 5."""
    return [name for name in config.robustness.attacks if name != attack_of(config, "pgd")]


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 6: like Figure 5 for the other white-box attacks.

    Attacks without a budget have no trend; for them the figure shows `distance`: the median L2 length of their
    perturbations, the mean over retrainings, with the smallest and largest in `distance_low` and `distance_high`.
    """
    names = _names(config)
    far = distances(study, config).rename(columns={"low": "distance_low", "high": "distance_high"})
    networks = points(study, names)
    unbounded = [name for name in names if not config.robustness.attacks[name].has_budget]
    trends = with_trends(networks[~networks["metric"].isin(unbounded)])
    networks = pd.concat(
        [trends, networks[networks["metric"].isin(unbounded)].assign(kind="network")], ignore_index=True
    )
    return networks.merge(far, on=["search", "seed", "slot", "key", "metric"], how="left")


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A panel for each attack."""
    names = _names(config) or ["no other attack"]
    rows, columns = -(-len(names) // 2), min(2, len(names))
    figure, axes = new_figure(rows, columns, height=0.7 + 2.0 * rows)
    for axis, name in zip(axes, names, strict=False):
        attack, part = config.robustness.attacks.get(name), data[data["metric"] == name]
        if attack is not None and not attack.has_budget:
            scatter_distances(axis, part, config)
            axis.set_title(f"{metric_title(name)}: median length (L₂)")
            continue
        scatter(axis, part, config, "flops")
        axis.set_title(metric_title(name))
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.supxlabel(flops_label(config), fontsize=9)
    figure.supylabel("Accuracy under attack (%)", fontsize=9)
    legend(figure, looks_in(data, config).values())
    return figure
