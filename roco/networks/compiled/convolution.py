"""3x3 convolutions for training on a CPU in bfloat16: torch's, but for the gradient of the weight (convolution.c)."""

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from roco.networks.compiled.calls import call, takes

# With fewer channels torch is as fast.
FEWEST_CHANNELS = 8


def can_convolve(module: nn.Module, images: Tensor) -> TypeGuard[nn.Conv2d]:
    """Whether `convolve` can take the place of this module: 3x3, stride 1, size kept, in training, under autocast."""
    return (
        isinstance(module, nn.Conv2d)
        and module.training
        and (module.kernel_size, module.stride, module.dilation) == ((3, 3), (1, 1), (1, 1))
        and (module.padding, module.padding_mode, module.groups) == ((1, 1), "zeros", 1)
        and module.bias is None
        and module.weight.dtype is torch.float32
        and min(module.weight.shape[:2]) >= FEWEST_CHANNELS
        and images.dtype is torch.bfloat16
        and torch.is_autocast_enabled("cpu")
        and takes("weight_gradient", images)
    )


def convolve(module: nn.Conv2d, images: Tensor) -> Tensor:
    """The convolution of bfloat16 feature maps `(n, channels, h, w)`, which `can_convolve` has approved of.

    The gradient of the weight is float32, where autocast's would be rounded to bfloat16 first.

    Raises:
        RuntimeError: no memory was left.
    """
    return _Convolution.apply(images, module.weight)  # type: ignore[no-any-return]


class _Convolution(torch.autograd.Function):
    """Once differentiable."""

    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor) -> Tensor:
        lower = weight.to(images.dtype)
        context.save_for_backward(images, lower)
        return F.conv2d(images, lower, padding=1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        images, weight = context.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_images: Tensor | None = None
        if context.needs_input_grad[0]:
            of_images, _, _ = torch.ops.aten.convolution_backward(
                *(gradient, images, weight, None, (1, 1), (1, 1), (1, 1), False, (0, 0), 1, (True, False, False))
            )
        of_weight = torch.empty_like(weight, dtype=torch.float32, memory_format=torch.channels_last)
        n, inputs, height, width = images.shape
        call("weight_gradient", images, gradient, of_weight, n, height, width, inputs, len(weight))
        return of_images, of_weight
