"""A section of the page for each network of a front: its drawing, what the search saw, and what retraining gave."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from roco.config import StudyConfig
from roco.report.figures.drawing import Symbol, phase_symbol
from roco.report.figures.small_chart import small_chart
from roco.report.figures.style import looks
from roco.report.measures.compare import attacks_without_budget, metric_title, metrics, name_of
from roco.report.measures.measured import several
from roco.report.numbers.format import NO_VALUE, millions, percent
from roco.report.page.networks import FrontNetwork, Retraining, front_networks, retrainings_in
from roco.report.read.collect import REFERENCES
from roco.report.tables.retrained import (
    DISTANCE,
    HOW_FAR,
    distance_and_left,
    smallest_to_largest,
)
from roco.report.tables.table import Table
from roco.space.complexity import widths_of
from roco.space.genome import Genome, PhaseGraph


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
    seen = front_networks(fronts[fronts["key"] == key])
    trainings = retrainings_in(retrained[retrained["key"] == key], config) if "key" in retrained else []
    measured, drawn = [each for each in trainings if each.failure is None], drawings.of(genome)
    return NetworkSection(
        key=key,
        genome=genome,
        summary=_summary(genome, [*seen, *(each for each in trainings if each.search == REFERENCES)]),
        phases=tuple(
            DrawnPhase(symbol, f"{width} channels")
            for symbol, width in zip(drawn, widths_of(config.retraining.channels, len(drawn)), strict=True)
        ),
        searched=_searched(seen, config),
        retrained=_retrained(measured, config),
        curve=_curve(measured),
        chart=_chart(measured, config),
        failures=tuple(f"{_training(each, config)}: {each.failure}" for each in trainings if each.failure is not None),
        weights=tuple(each.weights for each in measured),
    )


def _summary(genome: str, networks: Iterable[FrontNetwork | Retraining]) -> str:
    searches = list(dict.fromkeys(network.found_by for network in networks))
    name = name_of(genome)
    return ", ".join(searches if name == genome else [name, *searches])


def _training(training: Retraining, config: StudyConfig) -> str:
    seed = f", training seed {training.training_seed}" if several(config) else ""
    return f"{training.found_by}{seed}"


def _by_network(trainings: Iterable[Retraining]) -> list[list[Retraining]]:
    """The retrainings of each slot."""
    slots: dict[tuple[str, int, int], list[Retraining]] = {}
    for training in trainings:
        slots.setdefault((training.search, training.seed, training.slot), []).append(training)
    return list(slots.values())


def _spread(values: Iterable[float | None]) -> str:
    """The mean over retrainings with the smallest and the largest; a dash without any."""
    known = tuple(value for value in values if value is not None)
    return smallest_to_largest(known) if known else NO_VALUE


def _accuracy(trainings: list[Retraining], metric: str, config: StudyConfig) -> str:
    """The accuracy over retrainings; of an attack without a budget how far it went, and what it left right."""
    if metric not in attacks_without_budget(config):
        return _spread(training.measured.get(metric) for training in trainings)
    far, left = (
        sum(training.measured.get(name, math.nan) for training in trainings) / len(trainings)
        for name in (f"{metric}{DISTANCE}", metric)
    )
    return distance_and_left(far, left)


def _table(name: str, title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table of the page alone: it has no file, and so no numbers."""
    return Table(pd.DataFrame(), (header, *rows), name=name, title=title)


def _searched(networks: list[FrontNetwork], config: StudyConfig) -> Table:
    header = ("Front of", "Validation error, %", "Adversarial error, %", "FLOPs, M", "Parameters, M")
    rows = [
        (
            network.found_by,
            percent(network.error),
            percent(network.adversarial_error),
            millions(network.flops),
            millions(network.parameters, digits=3),
        )
        for network in networks
    ]
    return _table("searched", f"In the search, at {config.width_in_words('evaluation')}", header, rows)


def _retrained(trainings: list[Retraining], config: StudyConfig) -> Table:
    names, again = metrics(config), ["Retrainings"] if several(config) else []
    header = ("Found by", *again, "FLOPs, M", "Parameters, M", *(_heading(name, config) for name in names))
    rows = [
        (
            of_network[0].found_by,
            *([str(len(of_network))] if again else []),
            millions(of_network[0].flops),
            millions(of_network[0].parameters, digits=3),
            *(_accuracy(of_network, name, config) for name in names),
        )
        for of_network in _by_network(trainings)
    ]
    title = f"Retrained, at {config.width_in_words('retraining')}; accuracies in %"
    title += ", in parentheses the smallest and the largest over retrainings" if again else ""
    return _table("retrained", title, header, rows)


def _curve(trainings: list[Retraining]) -> Table:
    """A row for each slot of the network, a column for each radius."""
    measured = [training for training in trainings if training.curve]
    radii = list(measured[0].curve) if measured else []
    header = ("Found by", *("clean" if radius == "0" else f"{radius}/255" for radius in radii))
    rows = [
        (of_network[0].found_by, *(_spread(training.curve.get(radius) for training in of_network) for radius in radii))
        for of_network in _by_network(measured)
    ]
    return _table("curve", "Accuracy against the L∞ radius, in %", header, rows)


def _chart(trainings: list[Retraining], config: StudyConfig) -> str:
    # A line for each retraining, which shows their spread.
    lines = [
        (training.search, [(float(radius), share) for radius, share in training.curve.items()])
        for training in trainings
        if training.curve
    ]
    colours = {name: look.colour for name, look in looks(list(config.search.searches)).items()}
    label = "Accuracy against the radius"
    return small_chart(lines, colours, x_title="L∞ radius, in 1/255", label=label) if lines else ""


def _heading(metric: str, config: StudyConfig) -> str:
    title = metric_title(metric) + (HOW_FAR if metric in attacks_without_budget(config) else "")
    return title[0].upper() + title[1:]
