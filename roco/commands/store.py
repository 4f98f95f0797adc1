"""`roco store`: lists, verifies and exports finished work."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from roco.errors import ArtifactError, FileAccessError
from roco.storage.inventory import evaluation_table, inventory, problems, write_table

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    store = commands.add_parser("store", help="lists, verifies or exports the finished work that studies share")
    store.add_argument("action", choices=("list", "verify", "export"), help="export: all evaluations as one table")
    store.add_argument("--results", default="results", help="the folder that the store is in (default: results)")
    store.add_argument("--output", default="evaluations.csv", help="of export: .csv or .parquet (default: %(default)s)")
    store.set_defaults(run=_store)


def _store(options: argparse.Namespace) -> None:
    root = f"{Path(options.results).expanduser()}/store"
    if options.action == "export":
        _export(root, options.output)
    else:
        {"list": _list, "verify": _verify}[options.action](root)


def _list(root: str) -> None:
    for kind in inventory(root):
        print(f"{kind.name:24} {kind.entries:7} entries {kind.bytes / 1e6:10.1f} MB")
    if not inventory(root):
        print(f"{root}: empty")


def _verify(root: str) -> None:
    damaged = unreadable = 0
    for problem in problems(root):
        print(problem)
        damaged += isinstance(problem, ArtifactError)
        unreadable += isinstance(problem, FileAccessError)
    entries = sum(kind.entries for kind in inventory(root))
    if damaged:
        more = f"; {unreadable} more cannot be read now: keep those" if unreadable else ""
        raise ArtifactError(
            f"{root}: {damaged} of {entries} entries are damaged and count as missing; delete them{more}"
        )
    if unreadable:
        raise FileAccessError(f"{root}: {unreadable} of {entries} entries cannot be read now; keep them")
    print(f"{entries} entries, all whole")


def _export(root: str, output: str) -> None:
    table = evaluation_table(root)
    write_table(table, output)
    print(f"{output}: {len(table)} evaluations of {table['settings_hash'].nunique()} settings")
