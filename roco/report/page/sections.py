"""A section of the page for each network of a front: its drawing, what the search saw, and what became of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.figures.drawing import Symbol, phase_symbol
from roco.report.figures.small_chart import small_chart
from roco.report.figures.style import looks
from roco.report.measures.compare import attacks_without_budget, metric_title, metrics, name_of
from roco.report.measures.measured import several
from roco.report.numbers.format import NO_VALUE, millions, missing, percent
from roco.report.read.collect import REFERENCES, records_of
from roco.report.tables.retrained import (
    AT_RADIUS,
    DISTANCE,
    HOW_FAR,
    distance_and_left,
    smallest_to_largest,
)
from roco.report.tables.table import Table
from roco.space.complexity import widths_of
from roco.space.genome import Genome, PhaseGraph
from roco.study.files import File


@dataclass(frozen=True)
class DrawnPhase:
    """An active phase: its drawing and its heading."""

    symbol: Symbol
    heading: str


@dataclass(frozen=True)
class NetworkSection:
    """What the page says of one network.

    Attributes:
        key: the network's key.
        genome: the genome under which it is in a front, or in the configuration.
        summary: its searches and seeds, one line.
        phases: its active phases.
        searched: how the searches saw it; no rows for a network that was given.
        retrained: what was measured after retraining, over retrainings; no rows where nothing was retrained.
        curve: accuracy against the radius; no rows where it was not measured.
        chart: the same as an SVG element, empty where it was not measured.
        failures: why a retraining failed.
        weights: files of the retrained networks, from the page's folder.
    """

    key: str
    genome: str
    summary: str
    phases: tuple[DrawnPhase, ...]
    searched: Table
    retrained: Table
    curve: Table
    chart: str
    failures: tuple[str, ...]
    weights: tuple[str, ...]


class Drawings:
    """The drawings of phases: each different phase once, with an identifier of its own."""

    def __init__(self) -> None:
        self._symbols: dict[PhaseGraph, Symbol] = {}

    def of(self, genome: str) -> list[Symbol]:
        """The drawings of a network's active phases."""
        graphs = Genome.parse(genome).phenotype.phases
        for graph in graphs:
            if graph not in self._symbols:
                self._symbols[graph] = phase_symbol(graph, f"phase-{len(self._symbols)}")
        return [self._symbols[graph] for graph in graphs]

    @property
    def markup(self) -> str:
        """All drawings so far, as SVG symbols."""
        return "".join(symbol.markup for symbol in self._symbols.values())


def network_sections(tables: Mapping[str, Table], config: StudyConfig, drawings: Drawings) -> list[NetworkSection]:
    """One section for each network of a front and each given one, by rising FLOPs in the search; given ones last.

    Args:
        tables: the study's tables by name; the numbers are those of `fronts` and `retrainings`.
        config: the study's configuration.
        drawings: takes the phases of these networks up.
    """
    fronts, retrained = tables["fronts"].numbers, tables["retrainings"].numbers
    in_order = fronts.sort_values(["flops", "key"], kind="stable")
    genomes = dict(zip(in_order["key"], in_order["genome"], strict=True))
    if "key" in retrained:
        given = retrained[retrained["search"] == REFERENCES]
        genomes |= {k: g for k, g in zip(given["key"], given["genome"], strict=True) if k not in genomes}
    return [_section(key, genome, fronts, retrained, config, drawings) for key, genome in genomes.items()]


def _section(
    key: str, genome: str, fronts: pd.DataFrame, retrained: pd.DataFrame, config: StudyConfig, drawings: Drawings
) -> NetworkSection:
    found = records_of(fronts[fronts["key"] == key])
    slots = records_of(retrained[retrained["key"] == key]) if "key" in retrained else []
    measured, drawn = [row for row in slots if row["status"] == "ok"], drawings.of(genome)
    return NetworkSection(
        key=key,
        genome=genome,
        summary=_summary(genome, [*found, *(row for row in slots if row["search"] == REFERENCES)]),
        phases=tuple(
            DrawnPhase(symbol, f"{width} channels")
            for symbol, width in zip(drawn, widths_of(config.retraining.channels, len(drawn)), strict=True)
        ),
        searched=_searched(found, config),
        retrained=_retrained(measured, config),
        curve=_curve(measured),
        chart=_chart(measured, config),
        failures=tuple(f"{_training(row, config)}: {row['reason']}" for row in slots if row["status"] != "ok"),
        weights=tuple(_weights(row) for row in measured),
    )


def _summary(genome: str, rows: Iterable[Mapping[str, Any]]) -> str:
    places = list(dict.fromkeys(_place(row) for row in rows))
    name = name_of(genome)
    return ", ".join(places if name == genome else [name, *places])


def _place(row: Mapping[str, Any]) -> str:
    return str(row["search"]) if row["search"] == REFERENCES else f"{row['search']} seed {row['seed']}"


def _training(row: Mapping[str, Any], config: StudyConfig) -> str:
    return f"{_place(row)}, training seed {row['training_seed']}" if several(config) else _place(row)


def _by_place(rows: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The retrainings of each place where a network was found."""
    places: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        places.setdefault((row["search"], row["seed"], row["slot"]), []).append(row)
    return list(places.values())


def _over_trainings(rows: list[dict[str, Any]], name: str) -> str:
    found = tuple(float(row[name]) for row in rows if not missing(row[name]))
    return smallest_to_largest(found) if found else NO_VALUE


def _accuracy(rows: list[dict[str, Any]], metric: str, config: StudyConfig) -> str:
    """The accuracy over retrainings; of an attack without a budget how far it went, and what it left right."""
    if metric not in attacks_without_budget(config):
        return _over_trainings(rows, metric)
    far, left = ([float(row[name]) for row in rows] for name in (f"{metric}{DISTANCE}", metric))
    return distance_and_left(sum(far) / len(far), sum(left) / len(left))


def _searched(rows: list[dict[str, Any]], config: StudyConfig) -> Table:
    header = ("Front of", "Validation error, %", "Adversarial error, %", "FLOPs, M", "Parameters, M")
    cells = [
        (
            _place(row),
            percent(row["error"]),
            percent(row["adversarial_error"]),
            millions(row["flops"]),
            millions(row["parameters"], digits=3),
        )
        for row in rows
    ]
    title = f"In the search, at {config.width_in_words('evaluation')}"
    return Table(pd.DataFrame(rows), (header, *cells), name="searched", title=title)


def _retrained(rows: list[dict[str, Any]], config: StudyConfig) -> Table:
    names, again = metrics(config), ["Retrainings"] if several(config) else []
    header = ("Found by", *again, "FLOPs, M", "Parameters, M", *(_heading(name, config) for name in names))
    cells = [
        (
            _place(trained[0]),
            *([str(len(trained))] if again else []),
            millions(trained[0]["flops"]),
            millions(trained[0]["parameters"], digits=3),
            *(_accuracy(trained, name, config) for name in names),
        )
        for trained in _by_place(rows)
    ]
    title = f"Retrained, at {config.width_in_words('retraining')}; accuracies in %"
    title += ", in parentheses the smallest and the largest over retrainings" if again else ""
    return Table(pd.DataFrame(rows), (header, *cells), name="retrained", title=title)


def _curve(rows: list[dict[str, Any]]) -> Table:
    """A row for each place where the network was found, a column for each radius."""
    measured = [row for row in rows if _at_radii(row)]
    radii = list(_at_radii(measured[0])) if measured else []
    shown = [name.removeprefix(AT_RADIUS) for name in radii]
    header = ("Found by", *("clean" if radius == "0" else f"{radius}/255" for radius in shown))
    cells = [
        (_place(trained[0]), *(_over_trainings(trained, name) for name in radii)) for trained in _by_place(measured)
    ]
    title = "Accuracy against the L∞ radius, in %"
    return Table(pd.DataFrame(measured), (header, *cells), name="curve", title=title)


def _chart(rows: list[dict[str, Any]], config: StudyConfig) -> str:
    # A line for each retraining, which shows their spread.
    lines = [
        (
            str(row["search"]),
            [(float(name.removeprefix(AT_RADIUS)), float(share)) for name, share in _at_radii(row).items()],
        )
        for row in rows
        if _at_radii(row)
    ]
    colours = {name: look.colour for name, look in looks(list(config.search.searches)).items()}
    label = "Accuracy against the radius"
    return small_chart(lines, colours, x_title="L∞ radius, in 1/255", label=label) if lines else ""


def _at_radii(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name.startswith(AT_RADIUS) and not missing(value)}


def _heading(metric: str, config: StudyConfig) -> str:
    title = metric_title(metric) + (HOW_FAR if metric in attacks_without_budget(config) else "")
    return title[0].upper() + title[1:]


def _weights(row: Mapping[str, Any]) -> str:
    return File.RETRAINED_NETWORK.at(**{name: row[name] for name in ("search", "seed", "slot", "training_seed")})
