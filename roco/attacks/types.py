"""Torch's types for annotations. At run time they are `Any`: a configuration is read without importing torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch import device as TorchDevice
    from torch.nn import Module as Network
else:
    Tensor = TorchDevice = Network = Any

__all__ = ["Network", "Tensor", "TorchDevice"]
