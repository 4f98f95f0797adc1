"""`roco set`: the content of an adversarial set, from its file alone."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roco.attacks.sets import AdversarialSet
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    parser = commands.add_parser("set", help="what an adversarial set holds: successes and margins of each cell")
    parser.add_argument("file", help="adversarial/validation.h5 or adversarial/test.h5 of a study")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_set)


def _set(options: argparse.Namespace) -> None:
    from roco.attacks.sets import AdversarialSet

    facts = contents_of(AdversarialSet.load(options.file))
    if options.json:
        print(json.dumps(facts, indent=1))
    else:
        _show(facts)


def contents_of(adversarial: "AdversarialSet") -> dict[str, Any]:
    """The content of a set as plain data.

    Returns:
        `split`, `images`, `clean_images` (how many different images they come from), `seed`, `dataset_fingerprint`,
        `settings`, `versions`, and `cells`: target, norm, threshold, attacked, successes, success_rate (a fraction;
        None if no image was attacked), and the quartiles of the margins in logits, `margins` (None without successes).
    """
    import numpy as np

    cells = []
    for cell in adversarial.attacked:
        margins = adversarial.margin[adversarial.rows(cell)]
        quartiles = (
            [round(float(value), 4) for value in np.quantile(margins, (0.25, 0.5, 0.75))] if len(margins) else None
        )
        rate = cell.successes / cell.attacked if cell.attacked else None
        cells.append({**cell.model_dump(), "success_rate": rate, "margins": quartiles})
    return {
        "split": adversarial.split,
        "images": len(adversarial),
        "clean_images": len(np.unique(adversarial.source_index)),
        "seed": adversarial.seed,
        "dataset_fingerprint": adversarial.dataset_fingerprint,
        "settings": adversarial.settings,
        "versions": adversarial.versions,
        "cells": cells,
    }


def _show(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for name in ("target", "norm", "threshold", "attacked", "successes", "%", "margin: quartiles (logits)"):
        table.add_column(name, justify="left" if name in ("target", "norm") else "right")
    for cell in facts["cells"]:
        rate = "-" if cell["success_rate"] is None else f"{100 * cell['success_rate']:.1f}"
        margins = "-" if cell["margins"] is None else "  ".join(f"{value:.2f}" for value in cell["margins"])
        counts = (str(cell[name]) for name in ("threshold", "attacked", "successes"))
        table.add_row(cell["target"], cell["norm"], *counts, rate, margins)
    console.print(
        f"{facts['images']:,} images made from {facts['clean_images']:,} {facts['split']} images; "
        f"seed {facts['seed']}; data set {facts['dataset_fingerprint'][:12]}"
    )
    for norm, settings in facts["settings"].items():
        attack = settings.get("attack", {})
        chosen = ", ".join(f"{name} {value}" for name, value in attack.items() if name != "method")
        console.print(f"{norm}: {attack.get('method', 'unknown')} ({chosen})")
    console.print(table)
