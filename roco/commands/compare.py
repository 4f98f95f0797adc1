"""`roco compare`: two networks side by side."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from roco.commands._arguments import add_configfile

if TYPE_CHECKING:
    from roco.commands import Commands
    from roco.config import Part, StudyConfig
    from roco.report.numbers.shares import Counts
    from roco.retraining.records import MeasuredNetwork
    from roco.study.network_lookup import KnownNetwork


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    compare = commands.add_parser("compare", help="two networks of a study side by side, with intervals")
    for name in ("first", "second"):
        compare.add_argument(name, help="a key from roco front (or its beginning), a published name or a genome")
    add_configfile(compare)
    compare.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from roco.config import load_config
    from roco.study.network_lookup import look_up

    config = load_config(options.configfile)
    columns = [_facts(config, look_up(config, name)) for name in (options.first, options.second)]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("", columns[0]["key"], columns[1]["key"]):
        table.add_column(heading, justify="right" if heading else "left")
    for name in dict.fromkeys([*columns[0], *columns[1]]):
        if name != "key":
            table.add_row(name, *(column.get(name, "-") for column in columns))
    console = Console(highlight=False)
    console.print(table)
    again = any(column.get("retrainings", "1") != "1" for column in columns)
    alone = "95 % intervals over test images, of this training alone: another may differ by several points"
    console.print("95 % intervals over retrainings and test images" if again else alone, style="dim")


def _facts(config: "StudyConfig", network: "KnownNetwork") -> dict[str, str]:
    """The facts about a network by name; accuracies are means over its retrainings."""
    from roco.study.images import images_of

    images = images_of(config)
    graphs = network.genome.phenotype.phases
    facts = {"key": network.genome.key, "phases": "; ".join(_phase(graph) for graph in graphs) or "none"}
    parts: tuple[Part, Part] = ("evaluation", "retraining")
    for part in parts:
        # The number of classes, if not known yet, changes the last layer alone.
        shape = {"classes": images.classes if images else 10, "image_size": config.dataset.image_size}
        cost = config.decoder_of(part).spec(network.genome, **shape).cost
        facts[f"MFLOPs at {config.width_in_words(part)}"] = f"{cost.flops / 1e6:.2f}"
        facts[f"parameters at {config.width_in_words(part)}"] = f"{cost.parameters:,}"
    if network.individual is not None:
        facts["validation error in the search"] = f"{100 * network.individual.error:.1f} %"
        facts["adversarial error in the search"] = f"{100 * network.individual.adversarial_error:.1f} %"
    if network.retrainings:
        facts |= _measured(network.retrainings)
    return facts


def _phase(graph: Any) -> str:
    residual = ", residual" if graph.residual else ""
    return f"{len(graph.inputs)} nodes, {graph.edges} edges{residual}"


def _measured(trainings: "Sequence[MeasuredNetwork]") -> dict[str, str]:
    counts = [_counts(training) for training in trainings]
    facts = {"retrainings": str(len(trainings))}
    return facts | {name: _share([each[name] for each in counts if name in each]) for name in counts[0]}


def _counts(training: "MeasuredNetwork") -> "dict[str, tuple[Counts, Counts]]":
    """For each measurement of a training: the right images and all images of each cluster."""
    from roco.report.numbers.shares import from_marks

    attacks, sources = training.white_box.attacks, training.adversarial_sources
    right = {"test accuracy, retrained": from_marks(training.right_images)}
    under = {f"under {name}": from_marks(attack.robust_images) for name, attack in attacks.items()}
    test, attacked = ({name: (each, np.ones_like(each)) for name, each in marks.items()} for marks in (right, under))
    return test | {"adversarial test set": (np.array(sources.right), np.array(sources.images))} | attacked


def _share(counts: "Sequence[tuple[Counts, Counts]]") -> str:
    from roco.report.numbers.statistics import network_interval

    interval = network_interval(np.stack([right for right, _ in counts]), counts[0][1].astype(float))
    if np.isnan(interval.value):
        return "-"
    return f"{100 * interval.value:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
