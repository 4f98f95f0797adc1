"""The command line. Its commands read and show results; Snakemake makes them."""

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence

from roco import __version__, commands
from roco.errors import RocoError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; an error gives exit code 2 and one line."""
    options = make_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python's own flush at the end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    except (RocoError, OSError) as error:
        print(f"roco: {error}", file=sys.stderr)
        return 2
    return 0


def make_parser() -> argparse.ArgumentParser:
    """The parser with all commands of roco.commands."""
    parser = argparse.ArgumentParser(prog="roco", description="Robust and compact neural architecture search.")
    parser.add_argument("--version", action="version", version=f"roco {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            importlib.import_module(f"roco.commands.{module.name}").add_command(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
