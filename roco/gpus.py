"""Whether torch can use this machine's GPU, and the precision that is fast here; without torch if the answer is clear.

For use on the machine on which the job runs.
"""

import ctypes
import importlib.util
import logging
import re
from functools import cache
from pathlib import Path
from typing import Literal

from roco.runtime import Device, resolve_device, warn_of_unusable_gpu

log = logging.getLogger("roco")

# The first GPUs whose matrix units multiply bfloat16: Ampere.
BFLOAT16_CAPABILITY = (8, 0)
# CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
CAPABILITY_ATTRIBUTES = (75, 76)


def has_bfloat16_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this machine's processor multiplies bfloat16 in hardware."""
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "avx512_bf16" in flags.split()


def resolve_precision(precision: Literal["auto", "fp32", "bf16"], device: Device) -> Literal["fp32", "bf16"]:
    """The precision that `auto` means on this machine: bf16 on hardware where it is faster, else fp32.

    It depends on the hardware alone, because a measurement could change from run to run. Processors with AVX-512 BF16
    instructions train 1.7 times as fast in bf16 (benchmarks/README.md), others many times slower. GPUs with matrix
    units for bf16 train 3.4 times as fast.
    """
    if precision != "auto":
        return precision
    if resolve_device(device) == "cpu":
        return "bf16" if has_bfloat16_instructions() else "fp32"
    return "bf16" if compute_capability() >= BFLOAT16_CAPABILITY else "fp32"


def usable_device(device: Device) -> Literal["cpu", "cuda"]:
    """The kind of device that a job with this setting uses on this machine.

    Unlike `resolve_device`, `auto` means the CPU, with a warning, if torch cannot use the driver. `cuda` stays `cuda`.
    """
    kind = resolve_device(device)
    if device != "auto" or kind == "cpu" or driver_serves_torch():
        return kind
    import torch

    if torch.cuda.is_available():
        return "cuda"
    warn_of_unusable_gpu()
    return "cpu"


def driver_serves_torch() -> bool:
    """Whether the driver has a GPU for this process and is new enough for torch's CUDA; False if that is unclear.

    It asks the driver's library, because importing torch takes seconds.
    """
    needed = cuda_of_torch()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        version, count = ctypes.c_int(), ctypes.c_int()
        if driver.cuInit(0) or driver.cuDriverGetVersion(ctypes.byref(version)):
            return False
        if driver.cuDeviceGetCount(ctypes.byref(count)):
            return False
    except (OSError, AttributeError):
        return False
    # 12040 is CUDA 12.4. A driver serves all versions of its CUDA's first number.
    return needed is not None and count.value > 0 and version.value // 1000 >= needed


@cache
def compute_capability() -> tuple[int, int]:
    """The capability of the first GPU that this process sees, such as (9, 0); (0, 0) if it sees none."""
    device, numbers = ctypes.c_int(), (ctypes.c_int(), ctypes.c_int())
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
        for number, attribute in zip(numbers, CAPABILITY_ATTRIBUTES, strict=True):
            failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
        if not failed:
            return numbers[0].value, numbers[1].value
    except (OSError, AttributeError):
        pass
    import torch

    return torch.cuda.get_device_capability() if torch.cuda.is_available() else (0, 0)


def cuda_of_torch() -> int | None:
    """The first number of the CUDA version that torch was built for; None if there is none."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("version.py").read_text()
    except OSError:
        return None
    match = re.search(r"^cuda\b[^=\n]*= *['\"](\d+)\.", text, re.MULTILINE)
    return None if match is None else int(match[1])
