"""Predictions of trained networks on images, alone or several networks at once as a stack."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from roco.training.batches import to_unit
from roco.training.stacks.stack import Stack

# The largest number of images times networks in one forward pass of a stack.
STACKED_IMAGES = 2048
BATCH_SIZE = 256


@torch.no_grad()
def logits_of(network: nn.Module, images: Tensor, *, batch_size: int = BATCH_SIZE) -> Tensor:
    """Logits float32 `(n, classes)` of uint8 images `(n, c, h, w)`, in evaluation mode, on the images' device.

    The logits of a stack are `(n, networks, classes)`.
    """
    network.eval()
    batches = [network(to_unit(batch)) for batch in images.split(batch_size)]
    return torch.cat(batches)


def predict(network: nn.Module, images: Tensor, *, batch_size: int = BATCH_SIZE) -> Tensor:
    """Predicted classes int64 `(n,)` of uint8 images `(n, c, h, w)`."""
    if not len(images):
        return torch.zeros(0, dtype=torch.int64, device=images.device)
    return logits_of(network, images, batch_size=batch_size).argmax(dim=1)


def predict_together(networks: Sequence[nn.Module], images: Tensor) -> list[Tensor]:
    """Predicted classes of networks of equal likeness, as `predict`, in shared passes if there are several."""
    if len(networks) < 2 or not len(images):
        return [predict(network, images) for network in networks]
    stack = Stack(networks)  # type: ignore[arg-type]
    # Fewer images for more networks, so that this needs less memory than a training step.
    few = max(1, min(BATCH_SIZE, STACKED_IMAGES // len(networks)))
    return list(logits_of(stack, images, batch_size=few).argmax(dim=2).unbind(1))


def error_of(network: nn.Module, images: Tensor, *, labels: Tensor) -> float:
    """The share of uint8 images that the network classifies wrongly."""
    return float((predict(network, images) != labels).double().mean())
