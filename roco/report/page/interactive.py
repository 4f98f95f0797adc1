"""The interactive chart of the searches: a Vega-Lite chart of every network, its data, and the scripts it needs.

It shows the numbers in the CSV file of the figure `populations`; the reader chooses the axes.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.figures.style import looks, spans_decades

_SHAPES: Mapping[str, str] = MappingProxyType(
    {"o": "circle", "D": "diamond", "s": "square", "^": "triangle-up", "v": "triangle-down", "P": "cross"}
)
# The fonts of the page. Vega measures texts with them, so `inherit` is not possible.
_FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif'


@dataclass(frozen=True)
class Axis:
    """An objective that an axis can show: its title, and its number formats (of d3)."""

    title: str
    axis_format: str
    tooltip_format: str
    count: bool = False


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "error": Axis("Validation error", ".0%", ".2%"),
        "adversarial_error": Axis("Adversarial error", ".0%", ".2%"),
        "flops": Axis("FLOPs", "~s", ",d", count=True),
        "parameters": Axis("Parameters", "~s", ",d", count=True),
    }
)


def read_networks(text: str) -> pd.DataFrame:
    """The networks of the CSV file of the figure `populations`; keys and genomes stay text."""
    names = dict.fromkeys(("search", "key", "genome"), str)
    return pd.read_csv(io.StringIO(text), dtype=names, keep_default_na=False, na_values={"last": [""]})


def payload(networks: pd.DataFrame, config: StudyConfig, *, phases: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The data for the page's script, ready for JSON.

    Args:
        networks: from `read_networks`.
        config: the study's configuration.
        phases: for each key the identifiers of the drawings of its phases.
    """
    values = networks.drop(columns="genome").astype(object)
    return {
        "chart": chart(networks, config),
        "axes": {name: _axis(networks, name) for name in AXES},
        "columns": list(values.columns),
        "rows": values.where(values.notna(), None).to_numpy().tolist(),
        "phases": {key: list(drawings) for key, drawings in phases.items()},
    }


def _axis(networks: pd.DataFrame, name: str) -> dict[str, Any]:
    """The definition of an axis for Vega-Lite."""
    axis, values = AXES[name], networks[name].to_list()
    kind = "log" if axis.count and spans_decades(values) else "linear"
    return {
        "field": name,
        "type": "quantitative",
        "title": axis.title,
        "axis": {"format": axis.axis_format, "tickCount": 6},
        "scale": {"type": kind, "padding": 12} | ({"zero": False} if kind == "linear" else {"nice": False}),
    }


def chart(networks: pd.DataFrame, config: StudyConfig) -> dict[str, Any]:
    """The Vega-Lite chart without data and axes, which the page's script adds."""
    import altair as alt

    known = looks(list(config.search.searches))
    searches = [name for name in config.search.searches if name in set(networks["search"])]
    colours = alt.Scale(domain=searches, range=[known[name].colour for name in searches])
    shapes = alt.Scale(domain=searches, range=[_SHAPES[known[name].marker] for name in searches])
    legend = alt.Legend(title=None, orient="top", symbolFillColor="transparent")
    generation = alt.param(name="generation", value=int(networks["generation"].max()) if len(networks) else 0)
    alone = alt.selection_point(name="alone", fields=["search"], bind="legend")
    facts = {"key": "Network", "search": "Search", "seed": "Seed", "generation": "First evaluated in generation"}
    made = (
        alt.Chart(alt.NamedData("networks"), width="container", height=400)
        .mark_point(size=70, strokeWidth=1.6)
        .encode(
            fill=alt.Fill("search:N", scale=colours, legend=legend),
            stroke=alt.Stroke("search:N", scale=colours, legend=legend),
            shape=alt.Shape("search:N", scale=shapes, legend=legend),
            fillOpacity=alt.condition("datum.front", alt.value(0.75), alt.value(0)),
            strokeOpacity=alt.condition("datum.last >= generation", alt.value(1), alt.value(0.3)),
            tooltip=[
                *(alt.Tooltip(f"{name}:N", title=title) for name, title in facts.items()),
                *(alt.Tooltip(f"{name}:Q", title=a.title, format=a.tooltip_format) for name, a in AXES.items()),
            ],
        )
        .transform_filter("datum.generation <= generation")
        .transform_filter(alone)
        .add_params(generation, alone)
        .configure(background="transparent", font=_FONT, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))
        .configure_axis(
            labelColor="currentColor",
            titleColor="currentColor",
            gridColor="currentColor",
            gridOpacity=0.14,
            domainColor="currentColor",
            tickColor="currentColor",
            labelFontSize=12,
            titleFontSize=13,
            titleFontWeight="normal",
        )
        .configure_legend(labelColor="currentColor", labelFontSize=13, symbolSize=110)
        .configure_view(stroke=None)
    )
    # A page does not need the address of the schema.
    return {name: part for name, part in made.to_dict().items() if name != "$schema"}


@cache
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as a script that loads nothing; bundling takes some seconds."""
    import vl_convert

    text = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # An end tag anywhere in the text would end the script element.
    return text.replace("</script", "<\\/script")


def embedded(content: Mapping[str, Any]) -> str:
    """JSON for a script element, without any tag."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
