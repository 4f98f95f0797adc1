"""Batch normalisation with ReLU, and max-pooling, for training on a CPU: torch's modules, computed by layers.c."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

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


class FusedSequential(nn.Sequential):
    """`nn.Sequential` that computes `BatchNorm2d` with `ReLU`, and `MaxPool2d(2)`, by faster kernels if it can.

    Kernels are used in training, on a CPU, with channels last, in bfloat16 or float32, if the machine has a C compiler.
    Otherwise, and in evaluation, this is `nn.Sequential`. Parameters, running statistics and their names are those of
    the modules. Results are equal up to rounding; pooling is equal to the bit. Hooks of the replaced modules are not
    called.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps `(n, channels, h, w)`, through all modules."""
        modules = list(self)
        while modules:
            module = modules.pop(0)
            if modules and isinstance(modules[0], nn.ReLU) and can_fuse(module, images):
                images, modules = batch_norm_relu(module, images), modules[1:]
            elif can_pool(module, images):
                images = _MaxPool.apply(images)
            else:
                images = module(images)
        return images


def can_fuse(module: nn.Module, images: Tensor) -> TypeGuard[nn.BatchNorm2d]:
    """Whether `batch_norm_relu` can replace this module and a ReLU after it."""
    return (
        isinstance(module, nn.BatchNorm2d)
        and module.training
        and module.affine
        and module.track_running_stats
        and module.momentum is not None
        and module.weight.dtype is torch.float32
        and images.numel() > images.shape[1]
        and takes("norm_forward", images)
    )


def can_pool(module: nn.Module, images: Tensor) -> bool:
    """Whether this is max-pooling of 2x2 pixels, in training, which the kernel can replace."""
    return (
        isinstance(module, nn.MaxPool2d)
        and module.training
        and (module.kernel_size, module.stride, module.padding, module.dilation) == (2, 2, 0, 1)
        and not (module.ceil_mode or module.return_indices)
        and min(images.shape[-2:]) >= 2
        and takes("pool_forward", images)
    )


def batch_norm_relu(module: nn.BatchNorm2d, images: Tensor) -> Tensor:
    """ReLU of the batch normalisation of feature maps `(n, channels, h, w)` with the batch's statistics.

    Args:
        module: whose weight and bias are used, and whose running statistics are updated.
        images: float32 or bfloat16, for which `can_fuse` is true; the result has the same type.

    Raises:
        RuntimeError: no memory was left.

    Source: Ioffe and Szegedy 2015, Algorithm 1; the running variance is unbiased, as in torch.
    """
    assert module.num_batches_tracked is not None
    module.num_batches_tracked.add_(1)
    return _BatchNormReLU.apply(  # type: ignore[no-any-return]
        images, module.weight, module.bias, module.running_mean, module.running_var, module.momentum, module.eps
    )


class _BatchNormReLU(torch.autograd.Function):
    """The compiled operation and its gradient. Once differentiable."""

    @staticmethod
    def forward(
        context: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_variance: Tensor,
        momentum: float,
        epsilon: float,
    ) -> Tensor:
        channels = images.shape[1]
        result, saved = torch.empty_like(images), torch.empty(4 * channels)
        call(
            "norm_forward",
            *(images, result, images.numel() // channels, channels, weight, bias),
            *(running_mean, running_variance, float(momentum), float(epsilon), saved),
        )
        context.save_for_backward(images, saved)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        images, saved = context.saved_tensors
        channels = images.shape[1]
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(images)
        of_weight, of_bias = torch.empty(channels), torch.empty(channels)
        call("norm_backward", gradient, images, result, images.numel() // channels, channels, saved, of_weight, of_bias)
        return result, of_weight, of_bias, None, None, None, None


class _MaxPool(torch.autograd.Function):
    """The kernel and its gradient. Once differentiable."""

    @staticmethod
    def forward(context: Any, images: Tensor) -> Tensor:
        n, channels, height, width = images.shape
        shape = (n, channels, height // 2, width // 2)
        result = torch.empty(shape, dtype=images.dtype, memory_format=torch.channels_last)
        call("pool_forward", images, result, n, height, width, channels)
        context.save_for_backward(images)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> Tensor:
        [images] = context.saved_tensors
        n, channels, height, width = images.shape
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        # If a side is odd, the last pixels have a gradient of zero, which the kernel does not write.
        result = torch.zeros_like(images) if height % 2 or width % 2 else torch.empty_like(images)
        call("pool_backward", gradient, images, result, n, height, width, channels)
        return result


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
