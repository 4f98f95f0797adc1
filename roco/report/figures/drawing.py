"""Drawings of networks: the phases of a phenotype as graphs, from left to right.

A phase is an SVG symbol of a few lines, so that a page of hundreds of networks defines each phase once.
"""

import html
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from roco.files import atomic
from roco.space.complexity import Channels, widths_of
from roco.space.genome import PhaseGraph, Phenotype

INPUT, OUTPUT = "in", "out"
# Distances in a symbol, in pixels: between columns, between rows, and the margin.
_STEP, _ROW, _MARGIN = 42.0, 34.0, 14.0
_RADIUS = 9.5
# Distances in a file, in pixels: between phases and lines, and the width of a heading.
_GAP, _HEADING = 18.0, 120.0
# A white background, arrow heads and colours, for a drawing outside the page.
_FRAME = (
    '<rect width="100%" height="100%" fill="white"/><defs><marker id="arrow" viewBox="0 0 6 6" refX="5" refY="3" '
    'markerWidth="5" markerHeight="5" orient="auto"><polygon points="0,0 6,3 0,6" fill="#444444"/></marker></defs>'
    "<style>path { fill: none; stroke: #444444; stroke-width: 1.3; marker-end: url(#arrow); } "
    "path.residual { stroke-dasharray: 4 3; } circle { fill: #9ecae1; stroke: #444444; } "
    "circle.end { fill: #dddddd; } text { font: 9px sans-serif; text-anchor: middle; dominant-baseline: central; }"
    "</style>"
)


def draw_network(phenotype: Phenotype, path: str | Path, *, channels: Channels, title: str = "") -> None:
    """Draws the active phases side by side into an SVG, or a PNG by the file's ending; equal networks, equal bytes.

    Args:
        phenotype: the network; without active phases the drawing says so.
        path: the file.
        channels: width of the first active phase or of each, for the headings.
        title: above all phases.
    """
    symbols = [phase_symbol(graph, f"phase-{number}") for number, graph in enumerate(phenotype.phases, start=1)]
    widths, left, parts = widths_of(channels, len(symbols)), _GAP, [symbol.markup for symbol in symbols]
    for number, (symbol, width) in enumerate(zip(symbols, widths, strict=True), start=1):
        box = max(symbol.width, _HEADING)
        parts.append(_text(f"phase {number}: {width} channels", left + box / 2, 2 * _GAP))
        size = f'width="{symbol.width:g}" height="{symbol.height:.4g}"'
        parts.append(f'<use href="#{symbol.name}" x="{left + (box - symbol.width) / 2:g}" y="{3 * _GAP:g}" {size}/>')
        left += box + _GAP
    if not symbols:
        left = 2 * _HEADING
        parts.append(_text("no active phase: global average and linear layer", left / 2, 3 * _GAP))
    parts.append(_text(title, left / 2, _GAP))
    height = 4 * _GAP + max((symbol.height for symbol in symbols), default=0.0)
    size = f'width="{left:g}" height="{height:.4g}" viewBox="0 0 {left:g} {height:.4g}"'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{_FRAME}{"".join(parts)}</svg>\n'
    path = Path(path)
    with atomic(path) as temporary:
        if path.suffix.lower() == ".png":
            import vl_convert

            temporary.write_bytes(vl_convert.svg_to_png(drawing, scale=3.0))
        else:
            temporary.write_text(drawing, encoding="utf-8")


def _text(text: str, x: float, y: float) -> str:
    return f'<text x="{x:.4g}" y="{y:.4g}">{html.escape(text)}</text>' if text else ""


def _positions(graph: PhaseGraph) -> dict[int | str, tuple[float, float]]:
    """A column for each depth, the phase's input before them and its output behind them."""
    columns = graph.depths
    positions: dict[int | str, tuple[float, float]] = {INPUT: (0, 0), OUTPUT: (max(columns) + 1, 0)}
    for column in sorted(set(columns)):
        members = [node for node, depth in enumerate(columns) if depth == column]
        for index, node in enumerate(members):
            # The slant keeps edges that skip a column from crossing a node.
            positions[node] = (column, (len(members) - 1) / 2 - index + 0.12 * (-1) ** column)
    return positions


@dataclass(frozen=True)
class _Edge:
    """An arrow: its start and end, its bend as a share of its length, and whether it is the residual."""

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
    """How far an edge bends: an edge that skips a column goes around its nodes."""
    return 0.36 + 0.06 * columns if columns > 1 else 0.0


def _middle(edge: _Edge) -> tuple[float, float]:
    """The middle of a bent edge: halfway, and half as far from the straight line as its control point."""
    return (edge.start[0] + edge.end[0]) / 2, (edge.start[1] + edge.end[1]) / 2 + _rise(edge) / 2


def _rise(edge: _Edge) -> float:
    """How far the control point of an edge lies from the straight line, in rows."""
    return -edge.bend * (edge.end[0] - edge.start[0])


def _line(edge: _Edge, at: Callable[[tuple[float, float]], tuple[float, float]]) -> str:
    (x0, y0), (x1, y1) = at(edge.start), at(edge.end)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2 - _ROW * _rise(edge)
    # From the rim of the first disc to the rim of the second, in the directions of the curve there.
    first, last = math.hypot(cx - x0, cy - y0), math.hypot(x1 - cx, y1 - cy)
    x0, y0 = x0 + _RADIUS * (cx - x0) / first, y0 + _RADIUS * (cy - y0) / first
    x1, y1 = x1 - (_RADIUS + 2) * (x1 - cx) / last, y1 - (_RADIUS + 2) * (y1 - cy) / last
    kind = ' class="residual"' if edge.residual else ""
    return f'<path{kind} d="M{x0:.4g} {y0:.4g}Q{cx:.4g} {cy:.4g} {x1:.4g} {y1:.4g}"/>'
