"""`roco front`: the Pareto-optimal networks of a search, with keys that other commands take."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from roco.commands._arguments import add_configfile

if TYPE_CHECKING:
    from roco.commands import Commands
    from roco.config import StudyConfig
    from roco.search.records import Individual, Population


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    front = commands.add_parser("front", help="the Pareto-optimal networks of a search so far")
    front.add_argument("search", nargs="?", help="its name (default: all searches of the configuration)")
    add_configfile(front)
    front.add_argument("--seed", type=int, help="(default: the first of the configuration)")
    front.add_argument("--json", action="store_true", help="print JSON")
    front.set_defaults(run=_front)


def _front(options: argparse.Namespace) -> None:
    from roco.config import load_config
    from roco.study.network_lookup import last_population

    config = load_config(options.configfile)
    seed = config.seeds[0] if options.seed is None else options.seed
    names = [options.search] if options.search else list(config.search.searches)
    populations = {name: last_population(config, name, seed) for name in names}
    if options.json:
        print(json.dumps([_as_plain(config, name, seed, each) for name, each in populations.items()]))
        return
    for name, population in populations.items():
        _show(config, name, seed, population)


def _networks(population: "Population | None") -> "list[Individual]":
    """The front of a population, by rising FLOPs."""
    members = population.individuals if population else ()
    networks = [each for each in members if each.rank == 0 and each.status == "ok"]
    return sorted(networks, key=lambda each: (each.flops, each.key))


def _as_plain(config: "StudyConfig", search: str, seed: int, population: "Population | None") -> dict[str, Any]:
    return {
        "search": search,
        "seed": seed,
        "generation": population.generation if population else None,
        "generations": config.search.generations,
        "networks": [each.model_dump() for each in _networks(population)],
    }


def _show(config: "StudyConfig", search: str, seed: int, population: "Population | None") -> None:
    from rich.console import Console
    from rich.table import Table

    console, networks = Console(highlight=False), _networks(population)
    if population is None:
        console.print(f"{search}, seed {seed}: no population yet")
        return
    console.print(
        f"{search}, seed {seed}: {len(networks)} networks, "
        f"generation {population.generation} of {config.search.generations}",
        style="bold",
    )
    further = sorted({name for each in networks for name in each.further})
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("key", "MFLOPs", "parameters", "error", "adv. error", *further):
        table.add_column(heading, justify="left" if heading == "key" else "right", no_wrap=heading == "key")
    for each in networks:
        shares = [f"{100 * share:.1f} %" for share in (each.error, each.adversarial_error)]
        others = [f"{each.further[name]:.4g}" for name in further]
        table.add_row(each.key, f"{each.flops / 1e6:.2f}", f"{each.parameters:,}", *shares, *others)
    console.print(table)
