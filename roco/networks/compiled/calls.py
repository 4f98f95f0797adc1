"""Calls of the compiled functions with torch's tensors."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from roco.networks.compiled.library import library

POINTER, SIZE, REAL = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double
# The arguments of the C functions. Their names in C end with the type of the feature maps.
ARGUMENTS = {
    "norm_forward": [POINTER] * 2 + [SIZE] * 2 + [POINTER] * 4 + [REAL] * 2 + [POINTER],
    "norm_backward": [POINTER] * 3 + [SIZE] * 2 + [POINTER] * 3,
    "pool_forward": [POINTER] * 2 + [SIZE] * 4,
    "pool_backward": [POINTER] * 3 + [SIZE] * 4,
}
TYPES = {torch.bfloat16: "bf16", torch.float32: "fp32"}


def takes(name: str, maps: Tensor) -> bool:
    """Whether the function exists here and takes these feature maps: `(n, channels, h, w)`, channels last, on a CPU."""
    return (
        maps.device.type == "cpu"
        and maps.dim() == 4
        and maps.numel() > 0
        and maps.is_contiguous(memory_format=torch.channels_last)
        and hasattr(library(), f"{name}_{TYPES.get(maps.dtype)}")
    )


def call(name: str, maps: Tensor, *others: Tensor | int | float) -> None:
    """Calls the function for the type of these feature maps. All tensors must have the memory layout of the C code.

    Raises:
        RuntimeError: no memory was left.
    """
    arguments = [each.data_ptr() if isinstance(each, Tensor) else each for each in (maps, *others)]
    if _function(name, TYPES[maps.dtype])(*arguments):
        raise RuntimeError(f"can't allocate memory for {name}")


@functools.cache
def _function(name: str, kind: str) -> Callable[..., int]:
    function: Any = getattr(library(), f"{name}_{kind}")
    function.argtypes = ARGUMENTS[name]
    return function  # type: ignore[no-any-return]
