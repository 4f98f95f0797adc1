"""Figures 2 to 6 of the paper, the course of the hypervolume and the final populations: drawing, and their files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from roco.config import StudyConfig
from roco.files import atomic
from roco.report.figures import examples, figure_data
from roco.report.figures.course_figures import draw_hypervolume, draw_populations
from roco.report.figures.style import (
    INK,
    PUBLISHED_COLOUR,
    figure_settings,
    legend,
    looks,
    new_figure,
    save,
    say_empty,
    scale_counts,
)
from roco.report.numbers.compare import metric_title
from roco.report.read.collect import Study
from roco.report.tables import robustness_tables, transfer

NO_NETWORKS = "no retrained network"


@dataclass(frozen=True)
class FigureKind:
    """A figure of the report: its title and caption, the numbers it shows, and how it draws them."""

    title: str
    caption: str
    data: Callable[[Study, StudyConfig], pd.DataFrame]
    draw: Callable[[pd.DataFrame, StudyConfig], Figure]


def _scatter(axis: Axes, data: pd.DataFrame, config: StudyConfig, x: str) -> None:
    """Accuracies in percent against a count in millions, each network a point with its interval."""
    for place, search in enumerate(figure_data.searches_in(data, config)):
        look, part = looks(list(config.search.searches))[search], data[data["search"] == search]
        # A network that several searches found shows the marker of each.
        size = max(4.0, 8.0 - 2.5 * place)
        if "kind" in part:
            line, part = part[part["kind"] == "trend"], part[part["kind"] == "network"]
            places = line[x].to_numpy(dtype=float) / 1e6
            value, low, high = (100 * line[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
            axis.fill_between(places, low, high, color=look.colour, alpha=0.13, linewidth=0)
            axis.plot(places, value, color=look.colour, linewidth=1.4)
        millions = part[x].to_numpy(dtype=float) / 1e6
        value, low, high = (100 * part[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
        axis.vlines(millions, low, high, colors=look.colour, alpha=0.3, linewidth=1.0)
        axis.plot(millions, value, look.marker, color=look.colour, markersize=size, alpha=0.85, markeredgewidth=0)
    if data.empty:
        say_empty(axis, NO_NETWORKS)
    else:
        scale_counts(axis, list(data[x].to_numpy(dtype=float) / 1e6))


def _scatter_distances(axis: Axes, data: pd.DataFrame, config: StudyConfig) -> None:
    """How far an attack without a budget had to go, against FLOPs in millions; bars are the range of retrainings."""
    shown = data[data["distance"].notna()]
    for place, search in enumerate(figure_data.searches_in(shown, config)):
        look, part = looks(list(config.search.searches))[search], shown[shown["search"] == search]
        millions = part["flops"].to_numpy(dtype=float) / 1e6
        value, low, high = (part[f"distance{end}"].to_numpy(dtype=float) for end in ("", "_low", "_high"))
        axis.vlines(millions, low, high, colors=look.colour, alpha=0.3, linewidth=1.0)
        size = max(4.0, 8.0 - 2.5 * place)
        axis.plot(millions, value, look.marker, color=look.colour, markersize=size, alpha=0.85, markeredgewidth=0)
    if shown.empty:
        say_empty(axis, NO_NETWORKS if data.empty else "half of the images hold")
        return
    scale_counts(axis, list(shown["flops"].to_numpy(dtype=float) / 1e6))
    axis.set_ylim(0, 1.05 * axis.get_ylim()[1])


def _width(config: StudyConfig) -> str:
    return f"at {config.width_in_words('retraining')}"


def _flops_label(config: StudyConfig) -> str:
    return f"FLOPs (millions of multiply-adds, {_width(config)})"


# Labels of published points stand where they meet neither each other nor our networks, which are smaller.
_LABEL_LEFT = ("DARTS", "NSGA-Net", "SMASH")


def _draw_parameters(data: pd.DataFrame, config: StudyConfig) -> Figure:
    figure, [axis] = new_figure()
    known = looks(list(config.search.searches))
    published = data[data["published"] != ""]
    _scatter(axis, data[data["published"] == ""], config, "parameters")
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
    axis.set(xlabel=f"Parameters (millions, {_width(config)})", ylabel="Test accuracy (%)")
    stars = Line2D([], [], color=PUBLISHED_COLOUR, marker="*", linestyle="", markersize=8, label="published")
    legend(figure, [known[s] for s in figure_data.searches_in(data, config)], extra=[stars] if len(published) else [])
    return figure


def _draw_cost(data: pd.DataFrame, config: StudyConfig, column: str, label: str) -> Figure:
    """Each of the N lightest networks a point, their mean a bar; one group for each N."""
    figure, [axis] = new_figure()
    known = looks(list(config.search.searches))
    searches = figure_data.searches_in(data, config)
    for place, search in enumerate(searches):
        offset = (place - (len(searches) - 1) / 2) * 0.8 / len(searches)
        for group, count in enumerate(config.report.top):
            part = data[(data["search"] == search) & (data["top"] == count)]
            values = part[column].to_numpy(dtype=float) / 1e6
            if len(values):
                spread = [offset + 0.1 * (i / max(1, len(values) - 1) - 0.5) for i in range(len(values))]
                axis.plot(
                    [group + s for s in spread],
                    values,
                    known[search].marker,
                    color=known[search].colour,
                    alpha=0.6,
                    markersize=5,
                )
                axis.hlines(
                    values.mean(),
                    group + offset - 0.12,
                    group + offset + 0.12,
                    colors=known[search].colour,
                    linewidth=2.2,
                )
    if data.empty:
        say_empty(axis, NO_NETWORKS)
    else:
        axis.set_xticks(range(len(config.report.top)), [f"top-{count}" for count in config.report.top])
        axis.set_xlim(-0.5, len(config.report.top) - 0.5)
        axis.set_ylim(0, 1.05 * axis.get_ylim()[1])
        axis.grid(visible=False, axis="x")
    axis.set(xlabel="The N lightest networks of each search and seed", ylabel=f"{label}\n({_width(config)})")
    mean = Line2D([], [], color=INK, linewidth=2.2, label="mean")
    legend(figure, [known[search] for search in searches], extra=[mean] if searches else [])
    return figure


def _draw_flops(data: pd.DataFrame, config: StudyConfig) -> Figure:
    return _draw_cost(data, config, "flops", "FLOPs, millions of multiply-adds")


def _draw_lightest_parameters(data: pd.DataFrame, config: StudyConfig) -> Figure:
    return _draw_cost(data, config, "parameters", "Parameters, millions")


def _draw_pgd(data: pd.DataFrame, config: StudyConfig) -> Figure:
    figure, [axis] = new_figure()
    known = looks(list(config.search.searches))
    _scatter(axis, data, config, "flops")
    axis.set(xlabel=_flops_label(config), ylabel="Accuracy under PGD (%)")
    legend(figure, [known[search] for search in figure_data.searches_in(data, config)])
    return figure


def _draw_other_attacks(data: pd.DataFrame, config: StudyConfig) -> Figure:
    names = figure_data.other_attack_names(config) or ["no other attack"]
    rows, columns = -(-len(names) // 2), min(2, len(names))
    figure, axes = new_figure(rows, columns, height=0.7 + 2.0 * rows)
    known = looks(list(config.search.searches))
    for axis, name in zip(axes, names, strict=False):
        attack, part = config.robustness.attacks.get(name), data[data["metric"] == name]
        if attack is not None and not attack.has_budget:
            _scatter_distances(axis, part, config)
            axis.set_title(f"{metric_title(name)}: median length (L₂)")
            continue
        _scatter(axis, part, config, "flops")
        axis.set_title(metric_title(name))
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    figure.supxlabel(_flops_label(config), fontsize=9)
    figure.supylabel("Accuracy under attack (%)", fontsize=9)
    legend(figure, [known[search] for search in figure_data.searches_in(data, config)])
    return figure


_BARS = (
    "Each retrained network is a point, the mean over its retrainings; its bar is the 95 % interval over them and test "
    "images."
)
_TRENDS = (
    " Lines: least-squares trends in the logarithm of the FLOPs; bands: their 95 % intervals over seeds (of one "
    "seed over networks); none where a search has fewer than four networks, or a band would be wider than 50 points."
)

FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "figure_2": FigureKind(
            "Figure 2. Test accuracy and parameters",
            _BARS + " References: given genomes, retrained here like the others. Published (CIFAR-10 only): as their "
            "authors report them, after 300 epochs or more.",
            figure_data.accuracy_and_parameters,
            _draw_parameters,
        ),
        "figure_3": FigureKind(
            "Figure 3. FLOPs of the lightest networks",
            "The N lightest retrained networks of each search and seed; the bar is their mean.",
            figure_data.cost_of_lightest,
            _draw_flops,
        ),
        "figure_4": FigureKind(
            "Figure 4. Parameters of the lightest networks",
            "The same networks as in Figure 3.",
            figure_data.cost_of_lightest,
            _draw_lightest_parameters,
        ),
        "figure_5": FigureKind(
            "Figure 5. Accuracy under PGD and FLOPs", _BARS + _TRENDS, figure_data.pgd_accuracy, _draw_pgd
        ),
        "figure_6": FigureKind(
            "Figure 6. Accuracy under the other white-box attacks and FLOPs",
            _BARS
            + _TRENDS
            + " DeepFool, C&W and FAB have no budget: of them the median length of the perturbations over the images "
            "that were right before, the mean over retrainings, with their range; what they leave right is in the "
            "CSV file, and says whether they failed.",
            figure_data.other_attacks,
            _draw_other_attacks,
        ),
        "accuracy_radius": FigureKind(
            robustness_tables.CURVE_TITLE,
            robustness_tables.CURVE_CAPTION,
            robustness_tables.curves,
            robustness_tables.draw_curves,
        ),
        "hypervolume": FigureKind(
            "Hypervolume and evaluated networks",
            "A point is a generation. Thin: a seed; bold: the mean over seeds. Objectives scaled to the range that all "
            "searches found, reference point at 1.1 in each, as a share of the box; larger is better.",
            figure_data.hypervolume_course,
            draw_hypervolume,
        ),
        "populations": FigureKind(
            "Final populations",
            "The last population of each search and seed, as the search saw it: on validation images and the "
            "validation adversarial set. The CSV file holds every network that a search evaluated.",
            figure_data.searched_networks,
            draw_populations,
        ),
        "examples": FigureKind(examples.TITLE, examples.CAPTION, examples.examples, examples.draw),
        "transfer_matrix": FigureKind(transfer.TITLE, transfer.CAPTION, transfer.shares, transfer.draw),
    }
)


def write_figures(study: Study, config: StudyConfig, folder: str | Path) -> None:
    """Writes each figure's SVG, PNG (300 dpi) and numbers (CSV) into `folder`.

    The same study gives the same bytes of SVG and CSV.
    """
    for name, kind in FIGURES.items():
        data = kind.data(study, config)
        with atomic(Path(folder) / f"{name}.csv") as temporary:
            numbers = data.drop(columns=examples.PIXELS, errors="ignore")
            temporary.write_text(numbers.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="\n")
        with figure_settings():
            save(kind.draw(data, config), Path(folder) / name)
