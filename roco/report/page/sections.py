"""A section of the page for each network of a front: its drawing, and its values in the search and after retraining."""

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
from roco.report.read.collect import PLACE, REFERENCES, RETRAINING, records_of, rows_of
from roco.report.tables.retrained import (
    AT_RADIUS,
    DISTANCE,
    HOW_FAR,
    distance_and_left,
    smallest_to_largest,
)
from roco.report.tables.table import Table, page_table
from roco.space.complexity import widths_of
from roco.space.genome import Genome, PhaseGraph
from roco.study.files import STANDARD, File


@dataclass(frozen=True)
class DrawnPhase:
    """An active phase: its drawing and its heading."""

    symbol: Symbol
    heading: str


@dataclass(frozen=True)
class NetworkSection:
    """The section of a network.

    Attributes:
        genome: the genome in a front, or in the configuration.
        summary: its searches and seeds, one line.
        phases: its active phases.
        searched: its values in the searches; no rows for a network of the configuration.
        retrained: measurements after retraining, over retrainings; no rows without a retraining.
        curve: accuracy against the radius; no rows if it was not measured.
        chart: the curve as an SVG element; empty if it was not measured.
        failures: why retrainings failed.
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
    """The drawings of phases: each different phase once, with an identifier."""

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
    """A section for each network of a front, by rising FLOPs in the search, then for each reference network.

    Args:
        tables: the study's tables by name; `fronts` and `retrainings` are used.
        config: the study's configuration.
        drawings: collects the drawings of their phases.
    """
    fronts, retrained = tables["fronts"].numbers, tables["retrainings"].numbers
    if retrained.empty:
        # An empty table has fewer columns.
        retrained = retrained.assign(key=None, genome=None)
    in_order, given = fronts.sort_values(["flops", "key"], kind="stable"), retrained[retrained["search"] == REFERENCES]
    genomes = dict(zip(in_order["key"], in_order["genome"], strict=True))
    genomes |= {k: g for k, g in zip(given["key"], given["genome"], strict=True) if k not in genomes}
    return [_section(key, genome, fronts, retrained, config, drawings) for key, genome in genomes.items()]


def _section(
    key: str, genome: str, fronts: pd.DataFrame, retrained: pd.DataFrame, config: StudyConfig, drawings: Drawings
) -> NetworkSection:
    seen, trainings = fronts[fronts["key"] == key], retrained[retrained["key"] == key]
    measured, failed = trainings[trainings["status"] == "ok"], trainings[trainings["status"] != "ok"]
    drawn = drawings.of(genome)
    again = [f", training seed {seed}" if several(config) else "" for seed in failed["training_seed"]]
    return NetworkSection(
        key=key,
        genome=genome,
        summary=_summary(genome, [*rows_of(seen), *rows_of(trainings[trainings["search"] == REFERENCES])]),
        phases=tuple(
            DrawnPhase(symbol, f"{width} channels")
            for symbol, width in zip(drawn, widths_of(config.retraining.channels, len(drawn)), strict=True)
        ),
        searched=_searched(seen, config),
        retrained=_retrained(measured, config),
        curve=_curve(measured),
        chart=_chart(measured, config),
        failures=tuple(
            f"{_found_by(row)}{seed}: {row.reason}" for row, seed in zip(rows_of(failed), again, strict=True)
        ),
        weights=tuple(File.RETRAINED_NETWORK.at(retrained=STANDARD, **row) for row in records_of(measured[RETRAINING])),
    )


def _found_by(network: Any) -> str:
    """The search and the seed of a row of either table."""
    return str(network.search) if network.search == REFERENCES else f"{network.search} seed {network.seed}"


def _summary(genome: str, networks: Iterable[Any]) -> str:
    searches = list(dict.fromkeys(map(_found_by, networks)))
    name = name_of(genome)
    return ", ".join(searches if name == genome else [name, *searches])


def _by_network(trainings: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """For each slot its first retraining, and all its retrainings."""
    return [(rows_of(part)[0], part) for _, part in trainings.groupby(PLACE, sort=False)]


def _spread(values: "pd.Series[float]") -> str:
    """The mean over retrainings with the smallest and the largest; a dash without any."""
    known = tuple(values.dropna())
    return smallest_to_largest(known) if known else NO_VALUE


def _accuracy(trainings: pd.DataFrame, metric: str, config: StudyConfig) -> str:
    """The accuracy over retrainings; for an attack without a budget its distance and the share that it left right."""
    if metric not in attacks_without_budget(config):
        return _spread(trainings[metric])
    return distance_and_left(*(trainings[name].mean(skipna=False) for name in (f"{metric}{DISTANCE}", metric)))


def _searched(seen: pd.DataFrame, config: StudyConfig) -> Table:
    header = ("Front of", "Validation error, %", "Adversarial error, %", "FLOPs, M", "Parameters, M")
    rows = [(_found_by(row), percent(row.error), percent(row.adversarial_error), *_cost(row)) for row in rows_of(seen)]
    return page_table("searched", f"In the search, at {config.width_in_words('evaluation')}", header, rows)


def _cost(network: Any) -> tuple[str, str]:
    return millions(network.flops), millions(network.parameters, digits=3)


def _retrained(trainings: pd.DataFrame, config: StudyConfig) -> Table:
    names, again = metrics(config), ["Retrainings"] if several(config) else []
    header = ("Found by", *again, "FLOPs, M", "Parameters, M", *(_heading(name, config) for name in names))
    rows = [
        (
            *(_found_by(network), *([str(len(part))] if again else []), *_cost(network)),
            *(_accuracy(part, name, config) for name in names),
        )
        for network, part in _by_network(trainings)
    ]
    title = f"Retrained, at {config.width_in_words('retraining')}; accuracies in %"
    title += ", in parentheses the smallest and the largest over retrainings" if again else ""
    return page_table("retrained", title, header, rows)


def _curves(trainings: pd.DataFrame) -> pd.DataFrame:
    """The retrainings with a curve, by slot, with a column for each radius."""
    radii = [name for name in map(str, trainings) if name.startswith(AT_RADIUS) and trainings[name].notna().any()]
    curves = trainings[trainings[radii].notna().any(axis=1)].set_index(PLACE)[radii]
    return curves.rename(columns=lambda name: name.removeprefix(AT_RADIUS))


def _curve(trainings: pd.DataFrame) -> Table:
    """A row for each slot of the network, a column for each radius."""
    curves = _curves(trainings)
    header = ("Found by", *("clean" if radius == "0" else f"{radius}/255" for radius in curves))
    rows = [
        (_found_by(rows_of(part.reset_index())[0]), *(_spread(part[radius]) for radius in curves))
        for _, part in curves.groupby(PLACE, sort=False)
    ]
    return page_table("curve", "Accuracy against the L∞ radius, in %", header, rows)


def _chart(trainings: pd.DataFrame, config: StudyConfig) -> str:
    # A line for each retraining, which shows their spread.
    curves = _curves(trainings)
    lines = [
        (str(row["search"]), [(float(radius), row[radius]) for radius in map(str, curves) if not missing(row[radius])])
        for row in records_of(curves.reset_index())
    ]
    colours = {name: look.colour for name, look in looks(list(config.search.searches)).items()}
    label = "Accuracy against the radius"
    return small_chart(lines, colours, x_title="L∞ radius, in 1/255", label=label) if lines else ""


def _heading(metric: str, config: StudyConfig) -> str:
    title = metric_title(metric) + (HOW_FAR if metric in attacks_without_budget(config) else "")
    return title[0].upper() + title[1:]
