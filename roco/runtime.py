"""What a job needs around its work: device, threads, seeds, logging, and one-line errors. Nothing of the method."""

import atexit
import contextlib
import ctypes
import fcntl
import gc
import hashlib
import logging
import os
import platform
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from roco.errors import ConfigError, RocoError
from roco.gpu_locks import choose_gpu

if TYPE_CHECKING:
    import torch

log = logging.getLogger("roco")

# Whoever looks whether a run is at work has its lock for far less.
SECONDS_FOR_LOOKERS = 1.0

Device = Literal["auto", "cpu", "cuda"]


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


def has_bfloat16_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this machine's processor multiplies bfloat16 in hardware; asks the system, not torch."""
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "avx512_bf16" in flags.split()


def resolve_precision(precision: Literal["auto", "fp32", "bf16"], device: Device) -> Literal["fp32", "bf16"]:
    """What `auto` means on this machine: bf16 where it was measured to be faster, fp32 elsewhere.

    Decided by what the hardware is, never by a stopwatch: the answer must not change from run to run. Processors with
    AVX-512 BF16 instructions train 1.7 times as fast in bf16 (benchmarks/README.md), others many times slower. GPUs
    with matrix units for bf16 train 3.4 times as fast.
    """
    if precision != "auto":
        return precision
    if resolve_device(device) == "cpu":
        return "bf16" if has_bfloat16_instructions() else "fp32"
    from roco.gpus import BFLOAT16_CAPABILITY, compute_capability

    has_it = compute_capability() >= BFLOAT16_CAPABILITY
    return "bf16" if has_it else "fp32"


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
    """Puts Python's garbage collection off for imports, until `start_torch` or the job's end resumes it.

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
    packages = ("roco-nas", "torch", "torchattacks", "pymoo", "numpy", "h5py")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}}


def configure_logging(log_file: str | Path | None = None) -> None:
    """Sends roco's log lines to `log_file`, or to stderr."""
    handler: logging.Handler
    if log_file is None:
        handler = logging.StreamHandler()
    else:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        Path(log_file).write_text("")
        # Appended to, as worker processes append to it as well: a writer with a place of its own would overwrite them.
        handler = logging.FileHandler(log_file, mode="a")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logging.captureWarnings(True)
    # On a full disk a log line is lost; it must not bury the line that says so under tracebacks.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextlib.contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """The frame of a workflow script: its log file, and one line instead of a traceback for a RocoError.

    Imports in it are faster than before it, and a script ends with it.
    """
    pause_collection()
    configure_logging(snakemake.log[0])
    log.info("rule %s %s", snakemake.rule, dict(snakemake.wildcards))
    # The lock is held to the job's end, however that comes.
    gpu = choose_gpu() if getattr(snakemake.resources, "gpu", 0) else None
    try:
        yield
    except RocoError as error:
        log.error("%s", error)
        sys.exit(f"roco: {error}")
    except KeyboardInterrupt:
        log.warning("interrupted")
        sys.exit("roco: interrupted; run the same command again to go on")
    except BaseException:
        log.exception("rule %s failed", snakemake.rule)
        raise
    finally:
        resume_collection()
        if gpu is not None:
            gpu.file.close()
    log.info("done")
    # Not where a test or a notebook is the process.
    if getattr(sys.modules["__main__"], "snakemake", None) is snakemake:
        leave()


def leave() -> NoReturn:
    """Ends this process with success and without taking its modules down, which takes 0.4 s for torch's."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _lock(file: IO[str]) -> None:
    """Takes a file's lock; waits a little, as `roco status` takes it for a moment to see whether a run has it.

    Raises:
        BlockingIOError: another process keeps it.
    """
    until = time.monotonic() + SECONDS_FOR_LOOKERS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)


def guard_run(folder: str | Path) -> IO[str] | None:
    """Takes the only place of a run in a results folder; it is given back when the process ends, however it ends.

    An advisory lock of the operating system, unlike Snakemake's own lock file, which outlives a killed process. Hold on
    to what is returned: closing it gives the place back.

    Returns:
        The open lock file; None where the file system has no such locks, which is logged.

    Raises:
        ConfigError: another run has the place, or the folder cannot be written.
    """
    path = Path(folder) / ".running"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror}); set results to a folder of yours") from None
    try:
        _lock(file)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown process"
        file.close()
        raise ConfigError(f"{folder}: another run is at work here ({holder})") from None
    except OSError as error:
        file.close()
        log.warning("%s: cannot be locked (%s); see to it that no other run is at work here", path, error.strerror)
        return None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {platform.node()}")
    file.flush()
    return file
