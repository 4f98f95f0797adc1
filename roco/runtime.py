"""What a job needs around its work: device, seeds, logging, progress and one-line errors. Nothing of the method."""

import atexit
import contextlib
import ctypes
import gc
import hashlib
import json
import logging
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from roco import __version__
from roco.errors import ConfigError, RocoError
from roco.gpu_locks import choose_gpu

if TYPE_CHECKING:
    import torch

log = logging.getLogger("roco")

# Names the progress file of the job that a process works for.
PROGRESS_VARIABLE = "ROCO_PROGRESS_FILE"

Device = Literal["auto", "cpu", "cuda"]
State = Literal["running", "done", "failed", "interrupted"]


def seed_from(*parts: object) -> int:
    """A 63-bit seed from any printable parts; different parts give unrelated seeds."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*parts: object) -> np.random.Generator:
    """A NumPy generator seeded from the parts."""
    return np.random.Generator(np.random.PCG64(seed_from(*parts)))


def torch_generator(*parts: object, device: "torch.device | str" = "cpu") -> "torch.Generator":
    """A torch generator on `device`, seeded from the parts."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_from(*parts))


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is loaded on this machine; asks the system, not torch, so that it costs nothing."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def resolve_device(device: Device) -> Literal["cpu", "cuda"]:
    """The kind of device that `auto` means on this machine: a GPU where there is an NVIDIA driver."""
    if device == "auto":
        return "cuda" if has_nvidia_driver() else "cpu"
    return device


def keep_freed_memory() -> None:
    """Tells the C library to keep what this process frees, for its next use.

    A training step allocates and frees gigabytes. By default glibc gives large blocks back to the system at once and
    gets them anew, page by page, which costs up to a fifth of a training (benchmarks/README.md). Nothing happens where
    the C library is another one.
    """
    never_by_mmap, never_trim = (-4, 0), (-1, -1)
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(*never_by_mmap)
        libc.mallopt(*never_trim)


def pause_collection() -> None:
    """Pauses Python's garbage collection for imports, until `start_torch` or the job's end resumes it.

    What is imported stays: to look through it for what could be freed is a sixth of the time of `import torch`.
    """
    gc.disable()


def resume_collection() -> None:
    """Ends `pause_collection`; what there is by now is not looked through again before the process ends."""
    if not gc.isenabled():
        gc.freeze()
        # Extensions call it a leak, on stderr, if their modules are still there at the very end.
        atexit.register(gc.unfreeze)
        gc.enable()


def start_torch(device: Device) -> "torch.device":
    """The device to work on, with torch made deterministic and single-threaded on the CPU.

    One thread per process: parallel work is spread over processes, and results do not depend on the number of cores.

    Raises:
        ConfigError: `cuda` was asked for and torch sees no GPU.
    """
    import torch

    resume_collection()
    torch.set_num_threads(1)
    keep_freed_memory()
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"device: expected a GPU for 'cuda', but torch sees none ({_torch_and_cuda()}); update the driver, or set "
            "device to cpu or auto"
        )
    use_cuda = resolve_device(device) == "cuda" and torch.cuda.is_available()
    if resolve_device(device) == "cuda" and not use_cuda:
        warn_of_unusable_gpu()
    if use_cuda:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    # Not torch.use_deterministic_algorithms, which does the same and imports the whole compiler (seconds a process).
    torch.set_deterministic_debug_mode("warn" if use_cuda else "error")
    # Else every tensor that is made is first filled with NaN, which costs a tenth of a training and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda" if use_cuda else "cpu")


def warn_of_unusable_gpu() -> None:
    """Logs that torch cannot use the GPU of this machine, and that the CPU is used instead."""
    log.warning(
        "an NVIDIA driver is here, but %s cannot use its GPU: going on with the CPU; update the driver, or set device "
        "to cpu",
        _torch_and_cuda(),
    )


def _torch_and_cuda() -> str:
    import torch

    return f"torch {torch.__version__} for CUDA {torch.version.cuda}"


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide numbers."""
    packages = ("torch", "torchattacks", "pymoo", "numpy", "h5py")
    ours = {"python": platform.python_version(), "roco-nas": __version__}
    return ours | {name: metadata.version(name) for name in packages}


class _ProgressLine(logging.Formatter):
    """A log record as a line of JSON: its time, level and message, and what its `progress` adds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | getattr(record, "progress", {}), ensure_ascii=False)


def progress(*, state: State | None = None, networks: int | None = None) -> dict[str, Any]:
    """What a log line says as data, for its `extra`: `log.info("trained", extra=progress(networks=1))`.

    Args:
        state: how the job is from now on.
        networks: how many more networks are trained.
    """
    facts = {"state": state, "networks": networks}
    return {"progress": {name: value for name, value in facts.items() if value is not None}}


def progress_file(log_file: str | Path) -> Path:
    """The file beside a log that has its lines as JSON, with what they say as data; `roco status` reads it."""
    return Path(log_file).with_suffix(".progress.jsonl")


def _empty(path: str | Path) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("")


def configure_logging(log_file: str | Path | None = None) -> None:
    """Sends roco's log lines to a new `log_file`, or to stderr; those of a job also to its progress file."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler()
    else:
        _empty(log_file)
        # Worker processes append to it as well; with a position of its own this one would overwrite their lines.
        handler = logging.FileHandler(log_file, mode="a")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handlers = [handler]
    if path := os.environ.get(PROGRESS_VARIABLE):
        handlers.append(logging.FileHandler(path, mode="a"))
        handlers[-1].setFormatter(_ProgressLine())
    logging.captureWarnings(True)
    # On a full disk a log line is lost; it must not bury the line that says so under tracebacks.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """The frame of a workflow script: its log file, and one line instead of a traceback for a RocoError.

    Imports in it are faster than before it, and a script ends with it.
    """
    pause_collection()
    # Worker processes of the job inherit it.
    os.environ[PROGRESS_VARIABLE] = str(progress_file(snakemake.log[0]))
    _empty(os.environ[PROGRESS_VARIABLE])
    configure_logging(snakemake.log[0])
    log.info("rule %s %s", snakemake.rule, dict(snakemake.wildcards), extra=progress(state="running"))
    # The lock is held to the job's end, however that comes.
    gpu = choose_gpu() if getattr(snakemake.resources, "gpu", 0) else None
    try:
        yield
    except RocoError as error:
        log.error("%s", error, extra=progress(state="failed"))
        sys.exit(f"roco: {error}")
    except KeyboardInterrupt:
        log.warning("interrupted", extra=progress(state="interrupted"))
        sys.exit("roco: interrupted; run the same command again to go on")
    except BaseException:
        log.exception("rule %s failed", snakemake.rule, extra=progress(state="failed"))
        raise
    finally:
        del os.environ[PROGRESS_VARIABLE]
        resume_collection()
        if gpu is not None:
            gpu.file.close()
    log.info("done", extra=progress(state="done"))
    # Not where a test or a notebook is the process.
    if getattr(sys.modules["__main__"], "snakemake", None) is snakemake:
        leave()


def leave() -> NoReturn:
    """Ends this process with success and without taking its modules down, which takes 0.4 s for torch's."""
    # What was registered for the end still has to run (logs, temporary files), and Python has no public call for it.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
