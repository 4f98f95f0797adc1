"""The frame of a job: device, seeds, logging, progress and one-line errors. Nothing of the method."""

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
from roco.gpu_locks import choose_gpu, gpu_joules

if TYPE_CHECKING:
    import torch

log = logging.getLogger("roco")

# The environment variable with the progress file of the present job.
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
    """Whether an NVIDIA driver is loaded on this machine; looks at files of the system, without importing torch."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def resolve_device(device: Device) -> Literal["cpu", "cuda"]:
    """The kind of device that `auto` means on this machine: a GPU if there is an NVIDIA driver."""
    if device == "auto":
        return "cuda" if has_nvidia_driver() else "cpu"
    return device


def keep_freed_memory() -> None:
    """Tells glibc to keep memory that this process frees; does nothing with other C libraries.

    A training step allocates and frees gigabytes. By default glibc gives large blocks back to the system and gets them
    again, page by page, which costs up to a fifth of a training (benchmarks/README.md).
    """
    never_by_mmap, never_trim = (-4, 0), (-1, -1)
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(*never_by_mmap)
        libc.mallopt(*never_trim)


def pause_collection() -> None:
    """Pauses Python's garbage collection for imports, until `start_torch` or the job's end resumes it.

    Imported modules stay in memory; looking for garbage among them takes a sixth of the time of `import torch`.
    """
    gc.disable()


def resume_collection() -> None:
    """Ends `pause_collection`; present objects are not searched again until the process ends."""
    if not gc.isenabled():
        gc.freeze()
        # Otherwise extensions report a leak on stderr at the very end.
        atexit.register(gc.unfreeze)
        gc.enable()


def start_torch(device: Device) -> "torch.device":
    """The device to work on, with torch made deterministic and single-threaded on the CPU.

    One thread per process: parallel work is spread over processes, and results do not depend on the number of cores.

    Raises:
        ConfigError: `device` is `cuda` and torch sees no GPU.
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
    # Not torch.use_deterministic_algorithms: it does the same, and imports torch's compiler, which takes seconds.
    torch.set_deterministic_debug_mode("warn" if use_cuda else "error")
    # Otherwise every new tensor is filled with NaN first, which costs a tenth of a training and changes no result.
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
    """A log record as a line of JSON: its time, level, message, and the facts in its `progress`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {"time": round(record.created, 3), "level": record.levelname, "message": record.getMessage()}
        return json.dumps(line | getattr(record, "progress", {}), ensure_ascii=False)


def progress(*, state: State | None = None, networks: int | None = None, joules: float | None = None) -> dict[str, Any]:
    """The facts of a log line as data, for its `extra`: `log.info("trained", extra=progress(networks=1))`.

    Args:
        state: the new state of the job.
        networks: how many more networks are trained.
        joules: the energy that the job's GPU took while the job ran, for all jobs on it.
    """
    facts = {"state": state, "networks": networks, "joules": joules}
    return {"progress": {name: value for name, value in facts.items() if value is not None}}


def progress_file(log_file: str | Path) -> Path:
    """The file beside a log with its lines as JSON and their facts as data; `roco status` reads it."""
    return Path(log_file).with_suffix(".progress.jsonl")


def _empty(path: str | Path) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("")


def configure_logging(log_file: str | Path | None = None) -> None:
    """Sends log lines to a new `log_file`, or to stderr; in a job also to its progress file."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler()
    else:
        _empty(log_file)
        # In append mode: otherwise this process would overwrite the lines that worker processes append.
        handler = logging.FileHandler(log_file, mode="a")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handlers = [handler]
    if path := os.environ.get(PROGRESS_VARIABLE):
        handlers.append(logging.FileHandler(path, mode="a"))
        handlers[-1].setFormatter(_ProgressLine())
    logging.captureWarnings(True)
    # On a full disk log lines are lost; tracebacks about that must not hide the error message.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """The context of a workflow script: its log file, and one line instead of a traceback for a RocoError.

    Imports inside it are faster, and the script ends with it.
    """
    pause_collection()
    # Worker processes of the job inherit it.
    os.environ[PROGRESS_VARIABLE] = str(progress_file(snakemake.log[0]))
    _empty(os.environ[PROGRESS_VARIABLE])
    configure_logging(snakemake.log[0])
    log.info("rule %s %s", snakemake.rule, dict(snakemake.wildcards), extra=progress(state="running"))
    # The lock is held until the job ends in whatever way.
    wants_gpu = bool(getattr(snakemake.resources, "gpu", 0))
    gpu = choose_gpu() if wants_gpu else None
    began = gpu_joules() if wants_gpu else None
    try:
        yield
        if began is not None and (ended := gpu_joules()) is not None:
            log.info("its GPU took %.0f J, for all jobs on it", ended - began, extra=progress(joules=ended - began))
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
    # Not in the process of a test or a notebook.
    if getattr(sys.modules["__main__"], "snakemake", None) is snakemake:
        leave()


def leave() -> NoReturn:
    """Ends this process successfully without freeing its modules, which would take 0.4 s for torch."""
    # Runs the functions of `atexit` (logs, temporary files), for which Python has no public call.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
