"""Drawings of networks: the phases of a phenotype as graphs, from left to right.

Files are drawn by matplotlib; a page of hundreds of networks defines each phase once, as an SVG symbol of a few lines.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roco.files import atomic
from roco.space.complexity import Channels, widths_of
from roco.space.genome import PhaseGraph, Phenotype

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INPUT, OUTPUT = "in", "out"
# Of a symbol, in pixels: between columns, between rows, and around all.
_STEP, _ROW, _MARGIN = 42.0, 34.0, 14.0
_RADIUS = 9.5


def draw_network(phenotype: Phenotype, path: str | Path, *, channels: Channels, title: str = "") -> None:
    """Draws the active phases side by side into a PNG where the name ends so, else an SVG; equal networks, equal bytes.

    Args:
        phenotype: what to draw; without active phases the drawing says so.
        path: the file.
        channels: width of the first active phase or of each, for the headings.
        title: above all phases.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    count = max(1, len(phenotype.phases))
    with mpl.rc_context({"svg.hashsalt": "roco", "svg.fonttype": "none", "text.parse_math": False}):
        figure = Figure(figsize=(3.2 * count, 2.6), layout="constrained")
        axes = figure.subplots(1, count, squeeze=False)[0]
        widths = widths_of(channels, len(phenotype.phases))
        for number, (axis, graph, width) in enumerate(zip(axes, phenotype.phases, widths, strict=False), start=1):
            _draw_phase(axis, graph)
            axis.set_title(f"phase {number}: {width} channels", fontsize=9)
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
    columns = graph.depths
    positions: dict[int | str, tuple[float, float]] = {INPUT: (0, 0), OUTPUT: (max(columns) + 1, 0)}
    for column in sorted(set(columns)):
        members = [node for node, depth in enumerate(columns) if depth == column]
        for index, node in enumerate(members):
            # A slant keeps an edge that skips a column from running through a node.
            positions[node] = (column, (len(members) - 1) / 2 - index + 0.12 * (-1) ** column)
    return positions


@dataclass(frozen=True)
class _Edge:
    """An arrow: where it starts and ends, its bow (as a share of its length), and whether it is the residual."""

    start: tuple[float, float]
    end: tuple[float, float]
    bend: float
    residual: bool = False


def _edges(graph: PhaseGraph, positions: Mapping[int | str, tuple[float, float]]) -> list[_Edge]:
    pairs: list[tuple[int | str, int | str]] = []
    for node, sources in enumerate(graph.inputs):
        pairs += [(source, node) for source in sources] or [(INPUT, node)]
    pairs += [(node, OUTPUT) for node in graph.outputs]
    edges = [_Edge(positions[a], positions[b], _bend(positions[b][0] - positions[a][0])) for a, b in pairs]
    return [*edges, _Edge(positions[INPUT], positions[OUTPUT], -0.45, True)] if graph.residual else edges


@dataclass(frozen=True)
class Symbol:
    """A phase as an SVG `<symbol>` with an id, to be shown with `<use>` in a box of its width and height."""

    name: str
    markup: str
    width: float
    height: float


def phase_symbol(graph: PhaseGraph, name: str) -> Symbol:
    """A phase as a symbol with the id `name`; the page's style sheet gives it colours."""
    positions = _positions(graph)
    edges = _edges(graph, positions)
    middles = [_middle(edge) for edge in edges]
    top = max(y for _, y in (*positions.values(), *middles))
    bottom = min(y for _, y in (*positions.values(), *middles))

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return _MARGIN + _STEP * point[0], _MARGIN + _ROW * (top - point[1])

    lines = [_line(edge, at) for edge in edges]
    discs = []
    for node, position in positions.items():
        x, y = at(position)
        kind, label = ("end", str(node)) if isinstance(node, str) else ("node", str(node + 1))
        discs.append(f'<circle class="{kind}" cx="{x:g}" cy="{y:.4g}" r="{_RADIUS:g}"/>')
        discs.append(f'<text x="{x:g}" y="{y:.4g}">{label}</text>')
    width, height = 2 * _MARGIN + _STEP * positions[OUTPUT][0], 2 * _MARGIN + _ROW * (top - bottom)
    content = "".join([*lines, *discs])
    return Symbol(name, f'<symbol id="{name}" viewBox="0 0 {width:g} {height:.4g}">{content}</symbol>', width, height)


def _bend(columns: float) -> float:
    """How far an edge bends: one that skips a column goes around the nodes of that column."""
    return 0.36 + 0.06 * columns if columns > 1 else 0.0


def _middle(edge: _Edge) -> tuple[float, float]:
    """The top of the bow of an edge: half of the way, and half as far off it as its control point."""
    return (edge.start[0] + edge.end[0]) / 2, (edge.start[1] + edge.end[1]) / 2 + _rise(edge) / 2


def _rise(edge: _Edge) -> float:
    """How far the control point of an edge lies from the straight line, in rows."""
    return -edge.bend * (edge.end[0] - edge.start[0])


def _line(edge: _Edge, at: Callable[[tuple[float, float]], tuple[float, float]]) -> str:
    (x0, y0), (x1, y1) = at(edge.start), at(edge.end)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2 - _ROW * _rise(edge)
    # From the rim of one disc to the rim of the other, in the directions in which the curve leaves and comes.
    first, last = math.hypot(cx - x0, cy - y0), math.hypot(x1 - cx, y1 - cy)
    x0, y0 = x0 + _RADIUS * (cx - x0) / first, y0 + _RADIUS * (cy - y0) / first
    x1, y1 = x1 - (_RADIUS + 2) * (x1 - cx) / last, y1 - (_RADIUS + 2) * (y1 - cy) / last
    kind = ' class="residual"' if edge.residual else ""
    return f'<path{kind} d="M{x0:.4g} {y0:.4g}Q{cx:.4g} {cy:.4g} {x1:.4g} {y1:.4g}"/>'


def _draw_phase(axis: "Axes", graph: PhaseGraph) -> None:
    positions = _positions(graph)
    for edge in _edges(graph, positions):
        _arrow(axis, edge.start, edge.end, bend=edge.bend, style="--" if edge.residual else "-")
    for name, (x, y) in positions.items():
        label = name if isinstance(name, str) else str(name + 1)
        colour = "#dddddd" if isinstance(name, str) else "#9ecae1"
        axis.text(x, y, label, ha="center", va="center", fontsize=8, bbox={"boxstyle": "circle,pad=0.35", "fc": colour})
    axis.set_xlim(-0.5, positions[OUTPUT][0] + 0.5)
    height = max(abs(y) for _, y in positions.values()) + 1
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
