"""Compiled kernels: at its first use the C code is built for this processor by the machine's compiler, in a second.

The library is kept in the user's cache folder, under a hash of source, compiler and processor. Without a compiler, if
it fails, or if the folder cannot be written, `library` gives None, and torch's own operations are used. They give the
same results up to rounding.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("roco")

FOLDER = Path(__file__).parent
OPTIONS = ("-O3", "-march=native", "-std=c11", "-shared", "-fPIC")
# Set to 1, it turns compiled kernels off.
OFF = "ROCO_NO_COMPILED_KERNELS"
SECONDS_TO_COMPILE = 120


@functools.cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, built if the cache does not have them; None if that is not possible."""
    if os.environ.get(OFF) == "1":
        return None
    compiler = shlex.split(os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), ""))
    if not compiler:
        log.info("no C compiler: going on with torch's own operations, which are slower")
        return None
    try:
        path = cache_folder() / f"kernels-{_fingerprint(compiler)}.so"
        return _loaded(path) or ctypes.CDLL(str(_build(compiler, path)))
    # RuntimeError: the user has no home folder.
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "stderr", None) or error).strip()
        log.info("no compiled kernels, going on with torch's own operations, which are slower: %s", reason)
        return None


def _loaded(path: Path) -> ctypes.CDLL | None:
    """The library in a file; None if it is missing or damaged."""
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def cache_folder() -> Path:
    """The folder of libraries: `roco` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "roco"


def _fingerprint(compiler: Sequence[str]) -> str:
    """A hash of source, options, compiler and processor, because machines may share a cache."""
    version = subprocess.run([*compiler, "--version"], check=True, capture_output=True, timeout=SECONDS_TO_COMPILE)
    code = b"".join(source.read_bytes() for source in _sources())
    parts = (code, repr((*compiler, *OPTIONS)).encode(), version.stdout, _processor().encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:20]


def _sources() -> list[Path]:
    return sorted(FOLDER.glob("*.c"))


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A description that differs between processors with different instructions."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    kept = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return "\n".join([platform.machine(), platform.processor(), *sorted(kept)])


def _build(compiler: Sequence[str], path: Path) -> Path:
    """Compiles to a temporary file and renames it to `path`, because several jobs may do so at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [*compiler, *OPTIONS, *map(str, _sources()), "-o", str(made), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS_TO_COMPILE)
        made.replace(path)
    log.info("compiled %s", path)
    return path
