"""`roco schema`: the JSON schema of a configuration, for editors."""

import argparse
import json
from typing import TYPE_CHECKING

from roco.config.schema import schema

if TYPE_CHECKING:
    from roco.commands import Commands


def add_command(commands: "Commands") -> None:
    """Adds the command's parser."""
    parser = commands.add_parser("schema", help="the JSON schema of a configuration, for editors")
    parser.set_defaults(run=_schema)


def _schema(options: argparse.Namespace) -> None:
    print(json.dumps(schema(), indent=1, ensure_ascii=False))
