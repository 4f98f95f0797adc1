"""The lock of a results folder, and its holder. It is the system's lock on a file, which ends with its process.

Snakemake's lock file outlives a killed process. The library filelock has no shared lock and opens the file for writing:
`roco status` could then look only at folders that it may write, and no run could start at that moment.
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
# `running_process` holds the lock for a far shorter time.
PATIENCE_SECONDS = 1.0


def lock_results(folder: str | Path) -> int | None:
    """Locks a results folder for this process, until it ends in whatever way.

    Returns:
        The descriptor of the lock file; closing it releases the lock, which only tests do. None if the file system has
        no such locks, which is logged.

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
    """Takes the lock of a file, and waits a little for processes that only look whether it is held.

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

    It takes a shared lock and releases it at once; a run that starts at that moment waits.
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
