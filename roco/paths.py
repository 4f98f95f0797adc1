"""Paths as people write them, brought to one spelling: a shell would have expanded them, a YAML file has not."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))(?=/|$)")


def plain_path(text: str) -> str:
    """A path without `~` or a variable at its beginning and without `./`, `//` or `/` where they mean nothing.

    Left as it is, `~` would become a folder of that name, which is a danger to whoever removes it.

    Raises:
        ValueError: no such user or variable, or the path begins with a space.
    """
    expanded = text
    if found := _VARIABLE.match(text):
        value = os.environ.get(found[1] or found[2])
        if not value:
            raise ValueError(f"expected a path, got '{text}', whose variable is not set; write ./$ for a folder")
        expanded = value + text[found.end() :]
    if expanded.startswith("~"):
        expanded = os.path.expanduser(expanded)  # noqa: PTH111 (Path.expanduser raises what is no ValueError)
        if expanded.startswith("~"):
            raise ValueError(
                f"expected a path, got '{text}', which names no user of this machine; write ./~ for a folder"
            )
    if expanded[:1].isspace():
        raise ValueError(f"expected a path, got '{text}', which begins with a space")
    # Two slashes at the beginning mean something of their own to Path, but not to Linux.
    plain = str(Path(re.sub("^/+", "/", expanded))) if expanded else expanded
    # What is read again, as jobs do, has to stay what it is.
    return str(Path(plain).absolute()) if plain.startswith(("~", "$")) else plain


PlainPath = Annotated[str, AfterValidator(plain_path)]
