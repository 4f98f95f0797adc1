"""The lock of a results folder, and who holds it. It is the system's own lock on a file, and ends with its process.

Snakemake's lock file outlives a killed process. The library filelock has no shared lock and opens the file for writing:
`roco status` could then look only where it may write, and would keep a run from starting while it looks.
"""

import fcntl
import logging
import os
import platform
import time
from pathlib import Path

from roco.errors import ConfigError

log = logging.getLogger("roco")

NAME = ".running"
# `running_process` holds the lock for far less.
PATIENCE_SECONDS = 1.0


def lock_results(folder: str | Path) -> int | None:
    """Locks a results folder for this process, until it ends, however it ends.

    Returns:
        The descriptor of the lock file. To close it would give the lock back; only tests do. None where the file system
        has no such locks, which is logged.

    Raises:
        ConfigError: another process has the lock, or the folder cannot be written.
    """
    path = Path(folder) / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); set results to a folder of yours") from None
    try:
        _lock(descriptor)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            holder = path.read_text().strip() or "unknown process"
            raise ConfigError(f"{folder}: another run is at work here ({holder})") from None
        log.warning("%s: cannot be locked (%s); see to it that no other run is at work here", path, error.strerror)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
    return descriptor


def _lock(descriptor: int) -> None:
    """Takes the lock of a file, and waits a little for those that only look whether it is held.

    Raises:
        BlockingIOError: another process keeps it.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)


def running_process(folder: str | Path) -> str:
    """The process that has locked a results folder, in words; empty if there is none.

    To see whether the lock is held it is taken, shared, and given back at once: a run that starts waits for that.
    """
    try:
        with (Path(folder) / NAME).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "a process"
            return ""
    except OSError:
        return ""
