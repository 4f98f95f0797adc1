"""A GPU for each job: on a machine with several GPUs, each job locks one until it ends. And the energy of a GPU.

The lock is the operating system's (flock), so that a killed job leaves nothing behind. Jobs of different studies and
users see each other's locks, which lie in the machine's folder for temporary files.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

log = logging.getLogger("roco")

VARIABLE = "CUDA_VISIBLE_DEVICES"
# The most jobs that share a GPU by locks; a further job uses the first GPU without a lock.
MOST_JOBS = 64
# Other jobs hold the common lock for milliseconds.
SECONDS_TO_WAIT = 10.0


@dataclass
class GpuLock:
    """A GPU that this process has locked, until the file is closed or the process ends.

    Attributes:
        gpu: its name for CUDA_VISIBLE_DEVICES: a UUID or a number.
        shared_with: how many other jobs use it.
        file: the open file with the lock.
    """

    gpu: str
    shared_with: int
    file: IO[str]


def choose_gpu() -> GpuLock | None:
    """Takes the least used of the GPUs that this process may use, and hides the others from it and its children.

    Call it before CUDA starts in this process, because CUDA reads CUDA_VISIBLE_DEVICES once.

    Returns:
        The lock, to be held as long as the GPU is used; None, and nothing is hidden, if there are fewer than two GPUs
        or the locks cannot be written.
    """
    gpus = visible_gpus()
    if len(gpus) < 2:
        return None
    try:
        lock = take_gpu(gpus, lock_folder())
    except OSError as error:
        log.warning("the GPUs of this machine cannot be shared out (%s): using the first GPU", error)
        return None
    os.environ[VARIABLE] = lock.gpu
    # With it CUDA numbers the GPUs like nvidia-smi.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    log.info("GPU %s%s", lock.gpu, f", shared with {lock.shared_with} other jobs" if lock.shared_with else "")
    return lock


def take_gpu(gpus: Sequence[str], folder: Path) -> GpuLock:
    """Locks the least used of some GPUs, the first of equals.

    Args:
        gpus: their names, which must be the same in all processes.
        folder: where the locks are.

    Raises:
        OSError: the locks cannot be written, or each GPU has 64 jobs.
    """
    with _alone(folder):
        counts = {gpu: sum(_is_taken(path) for path in _slots(folder, gpu) if path.exists()) for gpu in gpus}
        gpu = min(gpus, key=lambda each: counts[each])
        for path in _slots(folder, gpu):
            file = _open(path)
            if _lock(file):
                return GpuLock(gpu, counts[gpu], file)
            file.close()
    raise OSError(f"each of {len(gpus)} GPUs has {MOST_JOBS} jobs")


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by UUID if known: those of CUDA_VISIBLE_DEVICES, else all.

    On a machine with a single GPU, where there is no choice, it is not looked up.
    """
    given = os.environ.get(VARIABLE)
    names = [name.strip() for name in (given or "").split(",") if name.strip()]
    # Every job of a study asks, so nvidia-smi runs only if its answer can matter.
    if (given is not None and len(names) < 2) or _has_one_gpu():
        return names
    listed = _listed_gpus()
    if given is None:
        return listed
    return [listed[int(name)] if name.isdigit() and int(name) < len(listed) else name for name in names]


def gpu_joules() -> float | None:
    """Joules that the GPU of this process has taken since its driver was loaded, by NVML's counter of the whole device.

    None without such a counter: without NVML, before the Volta generation, and for a MIG instance.
    """
    name = os.environ.get(VARIABLE, "0").partition(",")[0].strip()
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        if nvml.nvmlInit_v2():
            return None
        if name.isdigit():
            failed = nvml.nvmlDeviceGetHandleByIndex_v2(int(name), ctypes.byref(handle))
        else:
            failed = nvml.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
        failed = failed or nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules))
        nvml.nvmlShutdown()
    except (OSError, AttributeError):
        return None
    return None if failed else millijoules.value / 1000


def _has_one_gpu(system: Path = Path("/")) -> bool:
    """Whether this machine has a single GPU without MIG instances, by the driver's files alone."""
    instances = any(system.glob("proc/driver/nvidia/capabilities/gpu*/mig/gi*"))
    return len(list(system.glob("dev/nvidia[0-9]*"))) == 1 and not instances


def lock_folder() -> Path:
    """The folder of the locks, in which every user of this machine may write."""
    folder = Path(tempfile.gettempdir()) / "roco-gpus"
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o1777)
    return folder


def _listed_gpus() -> list[str]:
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return gpus_in(listing.stdout) if listing.returncode == 0 else []


def gpus_in(listing: str) -> list[str]:
    """The UUIDs in the output of `nvidia-smi -L`, in its order; of a GPU with MIG instances, those of the instances."""
    gpus: list[str] = []
    for kind, uuid in re.findall(r"UUID: ((?:GPU|MIG)-)([^)\s]+)\)", listing):
        if kind == "MIG-" and gpus and gpus[-1].startswith("GPU-"):
            gpus.pop()
        gpus.append(kind + uuid)
    return gpus


def _slots(folder: Path, gpu: str) -> Iterator[Path]:
    """The lock files of a GPU, one for each job that may share it."""
    name = hashlib.sha256(gpu.encode()).hexdigest()[:16]
    yield from (folder / f"{name}_{number:02d}" for number in range(MOST_JOBS))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the common lock, so that only one process at a time counts and locks."""
    with _open(folder / "all") as file:
        until = time.monotonic() + SECONDS_TO_WAIT
        while not _lock(file):
            if time.monotonic() > until:
                raise OSError(f"{folder}: another job has kept the common lock for {SECONDS_TO_WAIT:g} s")
            time.sleep(0.01)
        yield


def _open(path: Path) -> IO[str]:
    """A lock file that every user may open; programs that this process starts do not inherit it."""
    try:
        # Linux may forbid O_CREAT on another user's file in a folder for all.
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o666)
        # The mode above is cut by the umask.
        os.fchmod(descriptor, 0o666)
    return os.fdopen(descriptor, "r+")


def _lock(file: IO[str]) -> bool:
    """Takes a file's lock if nobody has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_taken(path: Path) -> bool:
    with _open(path) as file:
        return not _lock(file)
