"""Drawings of networks: the phases of a phenotype as graphs, from left to right."""

from pathlib import Path
from typing import TYPE_CHECKING

from roco.artifacts import atomic
from roco.space.genome import PhaseGraph, Phenotype

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INPUT, OUTPUT = "in", "out"


def draw_network(phenotype: Phenotype, path: str | Path, *, channels: int, title: str = "") -> None:
    """Draws the active phases side by side into a PNG where the name ends so, else an SVG; equal networks, equal bytes.

    Args:
        phenotype: what to draw; without active phases the drawing says so.
        path: the file.
        channels: width of the first active phase, for the headings.
        title: above all phases.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    count = max(1, len(phenotype.phases))
    with mpl.rc_context({"svg.hashsalt": "roco", "svg.fonttype": "none"}):
        figure = Figure(figsize=(3.2 * count, 2.6), layout="constrained")
        axes = figure.subplots(1, count, squeeze=False)[0]
        for number, (axis, graph) in enumerate(zip(axes, phenotype.phases, strict=False)):
            _draw_phase(axis, graph)
            axis.set_title(f"phase {number + 1}: {channels * 2**number} channels", fontsize=9)
        if not phenotype.phases:
            axes[0].text(0.5, 0.5, "no active phase:\nglobal average and linear layer", ha="center", va="center")
        for axis in axes:
            axis.set_axis_off()
        figure.suptitle(title, fontsize=10)
        path = Path(path)
        with atomic(path) as temporary:
            png = path.suffix.lower() == ".png"
            figure.savefig(temporary, format="png" if png else "svg", metadata=None if png else {"Date": None}, dpi=200)


def _positions(graph: PhaseGraph) -> dict[int | str, tuple[float, float]]:
    """A column for each depth; the phase's input before, its output behind."""
    columns: list[int] = []
    for sources in graph.inputs:
        columns.append(1 + max((columns[source] for source in sources), default=0))
    places: dict[int | str, tuple[float, float]] = {INPUT: (0, 0), OUTPUT: (max(columns) + 1, 0)}
    for column in sorted(set(columns)):
        members = [node for node, place in enumerate(columns) if place == column]
        for index, node in enumerate(members):
            # A slant keeps an edge that skips a column from running through a node.
            places[node] = (column, (len(members) - 1) / 2 - index + 0.12 * (-1) ** column)
    return places


def _draw_phase(axis: "Axes", graph: PhaseGraph) -> None:
    places = _positions(graph)
    edges: list[tuple[int | str, int | str]] = []
    for node, sources in enumerate(graph.inputs):
        edges += [(source, node) for source in sources] or [(INPUT, node)]
    edges += [(node, OUTPUT) for node in graph.outputs]
    for start, end in edges:
        # An edge that skips a column goes around what stands there.
        skipped = places[end][0] - places[start][0] - 1
        bend = 0.22 * skipped if skipped else 0.0
        _arrow(axis, places[start], places[end], bend=bend, style="-")
    if graph.residual:
        _arrow(axis, places[INPUT], places[OUTPUT], bend=-0.45, style="--")
    for name, (x, y) in places.items():
        label = name if isinstance(name, str) else str(name + 1)
        colour = "#dddddd" if isinstance(name, str) else "#9ecae1"
        axis.text(x, y, label, ha="center", va="center", fontsize=8, bbox={"boxstyle": "circle,pad=0.35", "fc": colour})
    axis.set_xlim(-0.5, places[OUTPUT][0] + 0.5)
    height = max(abs(y) for _, y in places.values()) + 1
    axis.set_ylim(-height, height)


def _arrow(axis: "Axes", start: tuple[float, float], end: tuple[float, float], *, bend: float, style: str) -> None:
    axis.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "->",
            "linestyle": style,
            "color": "#444444",
            "shrinkA": 10,
            "shrinkB": 10,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )
