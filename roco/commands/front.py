"""`roco front`: the Pareto-optimal networks of a search, with keys that other commands take."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from roco.commands._arguments import add_configfile

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    front = commands.add_parser("front", help="the Pareto-optimal networks of a search, as far as it is")
    front.add_argument("search", nargs="?", help="its name (default: all searches of the configuration)")
    add_configfile(front)
    front.add_argument("--seed", type=int, help="(default: the first of the configuration)")
    front.add_argument("--json", action="store_true", help="print JSON")
    front.set_defaults(run=_front)


def _front(options: argparse.Namespace) -> None:
    from roco.config import load_config
    from roco.study.found import last_population

    config = load_config(options.configfile)
    seed = config.seeds[0] if options.seed is None else options.seed
    names = [options.search] if options.search else list(config.search.searches)
    fronts = []
    for name in names:
        population = last_population(config, name, seed)
        members = population["individuals"] if population else []
        networks = [each for each in members if each["rank"] == 0 and each["status"] == "ok"]
        fronts.append(
            {
                "search": name,
                "seed": seed,
                "generation": population["generation"] if population else None,
                "generations": config.search.generations,
                "networks": sorted(networks, key=lambda each: (each["flops"], each["key"])),
            }
        )
    if options.json:
        print(json.dumps(fronts))
        return
    for place in fronts:
        _show(place)


def _show(front: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console, networks = Console(highlight=False), front["networks"]
    if front["generation"] is None:
        console.print(f"{front['search']}, seed {front['seed']}: no population yet")
        return
    console.print(
        f"{front['search']}, seed {front['seed']}: {len(networks)} networks, "
        f"generation {front['generation']} of {front['generations']}",
        style="bold",
    )
    further = sorted({name for each in networks for name in each.get("further") or {}})
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("key", "MFLOPs", "parameters", "error", "adv. error", *further):
        table.add_column(heading, justify="left" if heading == "key" else "right", no_wrap=heading == "key")
    for each in networks:
        shares = [f"{100 * each[name]:.1f} %" for name in ("error", "adversarial_error")]
        others = [f"{each['further'][name]:.4g}" for name in further]
        table.add_row(each["key"], f"{each['flops'] / 1e6:.2f}", f"{each['parameters']:,}", *shares, *others)
    console.print(table)
