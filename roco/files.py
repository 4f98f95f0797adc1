"""Files are written as a whole or not at all, and errors of the system are told apart from damaged content.

If the system cannot read or write a file now (no permission, no space, a disk or a server that does not answer, too
many open files), its content may still be whole. That is a FileAccessError, and never a reason to delete the file.
Contents are checked in roco.storage.artifacts.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from roco.errors import ArtifactError, FileAccessError, in_one_line

# Attempts to make a file in a folder that another process may delete at the same time.
MOST_ATTEMPTS = 100


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields the name of an empty file, which is renamed to `path` at the end if nothing is raised.

    The file lies in the folder `.{name}.partial` beside `path`, so that files of killed processes are found without
    searching all files beside `path`. The folder is deleted at the end.

    Raises:
        FileAccessError: it cannot be written (no space, no permission); `path` is unchanged.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.partial")
    # With the machine's name, because processes of two machines that share a folder may have the same number.
    ending = f".{platform.node()}{path.suffix}"
    temporary = folder / f"{os.getpid()}{ending}"
    try:
        _begin(temporary)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise FileAccessError(
            f"{path}: cannot be written ({reason(error)}); solve that and run the same command again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _drop_leftovers(folder, ending)
            folder.rmdir()


def _begin(temporary: Path) -> None:
    """Makes an empty file and its folder, which another process may delete in between when it has finished."""
    for attempt in range(MOST_ATTEMPTS):
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(b"")
            return
        except (FileNotFoundError, FileExistsError):
            if attempt == MOST_ATTEMPTS - 1:
                raise


def _drop_leftovers(folder: Path, ending: str) -> None:
    """Deletes the unfinished files of killed processes of this machine in such a folder."""
    for leftover in folder.iterdir():
        process = leftover.name.removesuffix(ending)
        if leftover.name == f"{process}{ending}" and process.isdigit():
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                leftover.unlink(missing_ok=True)
            except OSError:
                continue


def _sync_folder(folder: Path) -> None:
    """Makes sure that a new name in a folder survives a power failure, if the file system supports that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_there(path: str | Path) -> bool:
    """Whether a file or folder of this name exists.

    Raises:
        FileAccessError: the system cannot tell. `Path.exists` would then give False, or raise, depending on Python's
            version.
    """
    try:
        os.stat(path)  # noqa: PTH116 (Path.stat is the same with more around it)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unreadable(path, error) from None
    return True


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a file to read its bytes. Errors of the system within the context become the errors below.

    Raises:
        ArtifactError: there is no such file.
        FileAccessError: the system cannot open or read it now.
    """
    try:
        with Path(path).open("rb") as file:
            yield file
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(f"{path}: no such file; it is made by an earlier step of the workflow") from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: str | Path, error: OSError) -> FileAccessError:
    """The error of a file that the system cannot read."""
    return FileAccessError(
        f"{path}: cannot be read now ({reason(error)}); it may be whole, so keep it, solve what the system says and "
        "run the same command again"
    )


def reason(error: OSError) -> str:
    """The system's message in one line."""
    return in_one_line(error.strerror or error)
