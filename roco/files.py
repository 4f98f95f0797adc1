"""Files as the system gives them: whole or not there when written, and its errors told as what they are when not.

What a system cannot do now (no permission, no space, a disk or a server that does not answer, too many open files) says
nothing of a file's content: it is a FileAccessError, and never a reason to delete the file. What contents mean is in
artifacts.py.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from roco.errors import ArtifactError, FileAccessError

# Of making a file in a folder that others may take away meanwhile.
MOST_ATTEMPTS = 100


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields the name of an empty file; what is written to it becomes `path` if nothing is raised.

    That file is in a folder of its own, `.{name}.partial`, beside `path`: what killed processes had begun to write of
    `path` is found there without a look at everything that lies beside it. The folder is gone at the end.

    Raises:
        FileAccessError: it cannot be written (no space, no permission); `path` is as it was before.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.partial")
    # With the machine's name: two machines may have one folder, and processes of the same number.
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
            f"{path}: cannot be written ({reason(error)}); see to it and run the same command again"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            _drop_leftovers(folder, ending)
            folder.rmdir()


def _begin(temporary: Path) -> None:
    """Makes an empty file and its folder, which another process that has just ended may take away in between."""
    for attempt in range(MOST_ATTEMPTS):
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(b"")
            return
        except (FileNotFoundError, FileExistsError):
            if attempt == MOST_ATTEMPTS - 1:
                raise


def _drop_leftovers(folder: Path, ending: str) -> None:
    """Deletes what processes of this machine that were killed had begun to write in such a folder."""
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
    """Makes a new name in a folder outlive a power failure, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_there(path: str | Path) -> bool:
    """Whether there is something of this name.

    Raises:
        FileAccessError: the system does not say; `Path.exists` would say no, or raise, depending on Python's version.
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
    """A file, for nothing but its bytes to be read in the context: the errors of the system are told as what they are.

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
    """The error of a file that the system does not let us read."""
    return FileAccessError(
        f"{path}: cannot be read now ({reason(error)}); nothing says that it is damaged, so keep it, "
        "see to what the system says and run the same command again"
    )


def reason(error: OSError) -> str:
    """What the system says, in one line."""
    return (error.strerror or " ".join(str(error).split()))[:200]
