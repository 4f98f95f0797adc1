"""The commands of `roco`, a module each: a module here is a command, unless its name begins with an underscore.

Each has `add_command(commands)`, which adds its parser to argparse's subparsers and sets `run`: a function of the
parsed options that prints what was asked for, and raises RocoError for what cannot be done. All are imported when
one is called: what is slow to import (torch, pandas, matplotlib, pymoo) belongs into `run`.
"""

import argparse
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
