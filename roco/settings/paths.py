"""The type of paths in a configuration: `~` and variables are expanded as a shell does, and spellings become one."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))(?=/|$)")


def plain_path(text: str) -> str:
    """Expands `~` or a variable at the beginning of a path, and removes `./`, `//` and `/` where they mean nothing.

    If `~` were not expanded, a folder of that name would be made, which is dangerous to remove.

    Raises:
        ValueError: no such user or variable, or the path begins with a space.
    """
    expanded = text
    if variable := _VARIABLE.match(text):
        value = os.environ.get(variable[1] or variable[2])
        if not value:
            raise ValueError(f"expected a path, got '{text}', whose variable is not set; write ./$ for a folder")
        expanded = value + text[variable.end() :]
    if expanded.startswith("~"):
        expanded = os.path.expanduser(expanded)  # noqa: PTH111 (Path.expanduser raises what is no ValueError)
        if expanded.startswith("~"):
            raise ValueError(
                f"expected a path, got '{text}', which names no user of this machine; write ./~ for a folder"
            )
    if expanded[:1].isspace():
        raise ValueError(f"expected a path, got '{text}', which begins with a space")
    # Path keeps two slashes at the beginning, which Linux reads as one.
    plain = str(Path(re.sub("^/+", "/", expanded))) if expanded else expanded
    # Jobs read the path again, and must not expand it a second time.
    return str(Path(plain).absolute()) if plain.startswith(("~", "$")) else plain


PlainPath = Annotated[str, AfterValidator(plain_path)]
