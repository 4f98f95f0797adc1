"""What the data sets that torchvision reads share: the download of missing files, and errors of one line."""

import contextlib
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from roco.errors import DatasetError, in_one_line

log = logging.getLogger("roco")


def found_or_downloaded(maker: Callable[..., Any], path: Path, **part: object) -> Any:
    """The images that a class `maker` of torchvision.datasets reads from a folder.

    They are downloaded to the folder first if they are missing or damaged there. `part` says which images, by the
    keyword that `maker` has for it.
    """
    try:
        return maker(path, **part)
    except (OSError, RuntimeError):
        log.info("%s: not there or damaged, trying to download it", path)
        return maker(path, **part, download=True)


@contextlib.contextmanager
def one_line(name: str, advice: str) -> Iterator[None]:
    """Turns the errors of readers and downloads into a DatasetError that names the data set and says what to do."""
    try:
        yield
    except (OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AssertionError, zlib.error) as error:
        reason = in_one_line(error, 120) or type(error).__name__
        raise DatasetError(f"{name}: cannot be read or downloaded ({reason}); {advice}") from None
