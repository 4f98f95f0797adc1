"""The look of figures: a colour and a marker for each search; axes, scales and deterministic files.

Colours are Okabe and Ito's, which readers with any kind of colour vision can tell apart; markers differ as well.
"""

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from roco.config import StudyConfig
from roco.files import atomic
from roco.report.figures.fonts import FAMILY, show_numbers_instead
from roco.report.measures.compare import searches_in
from roco.report.read.collect import REFERENCES

# The colour of text, axes and grid; the page replaces it by its text colour, so that figures follow dark mode.
INK = "#1b1f24"
PUBLISHED_COLOUR = "#7f7f7f"
DPI = 300


@dataclass(frozen=True)
class Look:
    """The colour and marker of a search."""

    colour: str
    marker: str
    label: str


_LOOKS = (
    ("#0072b2", "o"),
    ("#d55e00", "D"),
    ("#009e73", "s"),
    ("#cc79a7", "^"),
    ("#e69f00", "v"),
    ("#56b4e9", "P"),
)


def looks(searches: Sequence[str]) -> dict[str, Look]:
    """The look of each search, by its position in the configuration, and of published networks."""
    of_searches = {name: Look(*_LOOKS[index % len(_LOOKS)], name) for index, name in enumerate(searches)}
    return of_searches | {REFERENCES: Look(INK, "X", "references")}


def looks_in(data: pd.DataFrame, config: StudyConfig) -> dict[str, Look]:
    """The looks of the searches in the data, in the order of the configuration, the references last."""
    known = looks(list(config.search.searches))
    return {search: known[search] for search in searches_in(data, config)}


@contextmanager
def figure_settings() -> Iterator[None]:
    """The settings for drawing and saving figures; without them SVG files would differ from run to run."""
    settings: Any = {
        "svg.hashsalt": "roco",
        "svg.fonttype": "none",
        "font.family": FAMILY,
        # Names are not mathematics: a class may have the name $5_bill.
        "text.parse_math": False,
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.titlesize": 9,
        "legend.fontsize": 8.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": INK,
        "grid.alpha": 0.14,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.linewidth": 0.8,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    }
    with mpl.rc_context(settings):
        yield


def new_figure(rows: int = 1, columns: int = 1, *, height: float = 3.5) -> tuple[Figure, list[Axes]]:
    """A figure of a width that a phone shows legibly (5.4 inch), with its panels in reading order.

    Args:
        rows: rows of panels.
        columns: columns of panels.
        height: of the whole figure, in inches.
    """
    figure = Figure(figsize=(5.4, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def legend(figure: Figure, shown: Iterable[Look], *, extra: Sequence[Line2D] = ()) -> None:
    """A legend above the panels, so that it covers no point."""
    handles = [
        Line2D([], [], color=k.colour, marker=k.marker, linestyle="", markersize=6, label=k.label) for k in shown
    ]
    handles += extra
    if handles:
        # About 62 characters fit in a line of the legend.
        longest = max(len(str(handle.get_label())) for handle in handles) + 8
        columns = len(handles) if sum(len(str(h.get_label())) + 6 for h in handles) <= 62 else max(1, 62 // longest)
        figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def spans_decades(values: Sequence[float]) -> bool:
    """Whether counts span more than a factor of eight, so that a linear axis would crowd the small counts."""
    positive = [value for value in values if value > 0]
    return bool(positive) and max(positive) > 8 * min(positive)


def scale_counts(axis: Axes, values: Sequence[float]) -> None:
    """A logarithmic x axis if the values span more than a factor of eight, with plain numbers at its ticks."""
    if spans_decades(values):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.minorticks_off()
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def say_empty(axis: Axes, reason: str) -> None:
    """Says in a panel why it is empty."""
    axis.text(0.5, 0.5, reason, transform=axis.transAxes, ha="center", va="center", style="italic", alpha=0.8)
    axis.set_xticks([])
    axis.set_yticks([])


def svg_text(figure: Figure) -> str:
    """The figure as SVG with text as text; the same figure gives the same bytes."""
    buffer = io.StringIO()
    empty: Mapping[str, Any] = {"Date": None, "Creator": None}
    with warnings.catch_warnings():
        # Text stays text in the SVG and is drawn with the reader's fonts.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from", UserWarning)
        figure.savefig(buffer, format="svg", metadata=dict(empty), transparent=True)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def save(figure: Figure, stem: Path) -> None:
    """Writes the figure as {stem}.svg (transparent) and {stem}.png (white, 300 dpi)."""
    with atomic(stem.with_suffix(".svg")) as temporary:
        temporary.write_text(svg_text(figure), encoding="utf-8", newline="\n")
    # Both files have the same layout.
    figure.set_layout_engine("none")
    show_numbers_instead(figure)
    with atomic(stem.with_suffix(".png")) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
