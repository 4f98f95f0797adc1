"""The commands of `roco`: each module here is a command, unless its name begins with an underscore.

Each has `add_command(commands)`, which adds its parser to argparse's subparsers and sets `run`: a function of the
parsed options that prints the result, and raises RocoError if it cannot. All modules are imported for any command: slow
imports (torch, pandas, matplotlib, pymoo) belong in `run`.
"""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
