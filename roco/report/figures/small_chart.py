"""A line chart of a few hundred bytes, for a page with a chart for each of many networks."""

from collections.abc import Mapping, Sequence

Points = Sequence[tuple[float, float]]

# In pixels: the plot, and the room for labels at its left and below it.
_WIDTH, _HEIGHT, _LEFT, _BELOW, _ABOVE = 300.0, 96.0, 40.0, 34.0, 8.0


def small_chart(lines: Sequence[tuple[str, Points]], colours: Mapping[str, str], *, x_title: str, label: str) -> str:
    """An SVG element of accuracy against radius.

    Args:
        lines: the search of each line, and its points: radius, at most the largest of all, and accuracy in [0, 1].
        colours: of the searches.
        x_title: below the axis.
        label: for screen readers.
    """
    largest = max(x for _, points in lines for x, _ in points) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + _WIDTH * x / largest, _ABOVE + _HEIGHT * (1 - y)

    parts = [_horizontal(at(0, share)[1], f"{100 * share:.0f} %") for share in (0.0, 0.5, 1.0)]
    bottom = _ABOVE + _HEIGHT
    for value in (0.0, largest / 2, largest):
        parts.append(f'<text x="{at(value, 0)[0]:.4g}" y="{bottom + 14:.4g}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{_LEFT + _WIDTH / 2:.4g}" y="{bottom + 29:.4g}" text-anchor="middle">{x_title}</text>')
    for search, points in lines:
        corners = " ".join(f"{x:.4g},{y:.4g}" for x, y in (at(*point) for point in points))
        parts.append(f'<polyline points="{corners}" style="stroke: {colours[search]}"/>')
    width, height = _LEFT + _WIDTH + 16, _ABOVE + _HEIGHT + _BELOW
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg class="small-chart" {size} role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _horizontal(y: float, text: str) -> str:
    line = f'<line x1="{_LEFT:g}" x2="{_LEFT + _WIDTH:g}" y1="{y:.4g}" y2="{y:.4g}"/>'
    return f'{line}<text x="{_LEFT - 6:g}" y="{y + 4:.4g}" text-anchor="end">{text}</text>'
