"""Budgets and margins: how far an image was changed, and by how much a network gets it wrong.

Attacks never judge themselves; their images are judged here, on the stored uint8 pixels.
"""

from typing import Literal

from roco.attacks.types import Network, Tensor, TorchDevice

Norm = Literal["l0", "linf"]

# A decision counts when its logits lie at least this far apart: float32 sums differ by about 1e-5 with the batch size
# and the machine, and a stored image must be misclassified everywhere.
DECIDED = 1e-3


def changed_pixels(clean: Tensor, images: Tensor) -> Tensor:
    """L0: the number of positions with any channel changed, int64 `(n,)`, for images `(n, c, h, w)`."""
    return (clean != images).any(dim=1).flatten(1).sum(dim=1)


def largest_change(clean: Tensor, images: Tensor) -> Tensor:
    """Linf in 1/255: the largest change of a value, int64 `(n,)`, for uint8 images `(n, c, h, w)`."""
    # Wider than uint8, whose differences would wrap around.
    return (clean.short() - images.short()).abs().flatten(1).amax(dim=1).long()


def within_budget(clean: Tensor, images: Tensor, *, norm: Norm, threshold: int) -> Tensor:
    """Whether each uint8 image is at most `threshold` (pixels or 1/255) from its clean one, bool `(n,)`."""
    distance = changed_pixels(clean, images) if norm == "l0" else largest_change(clean, images)
    return distance <= threshold


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """The best wrong logit minus the true one, `(n,)`: positive where the network is wrong, -inf if it is not finite.

    Args:
        logits: `(n, classes)`, two classes or more.
        labels: int64 `(n,)`.
    """
    import torch

    true = logits.gather(1, labels[:, None])
    # By comparison: torch's deterministic mode sorts the indices of a scatter on a GPU.
    is_true = torch.arange(logits.shape[1], device=logits.device) == labels[:, None]
    wrong = logits.masked_fill(is_true, -torch.inf).amax(dim=1)
    margin = wrong - true[:, 0]
    return torch.where(logits.isfinite().all(dim=1), margin, -torch.inf)


def margins_of(network: Network, images: Tensor, *, labels: Tensor, batch_size: int) -> Tensor:
    """Margins float32 `(n,)` of a network on uint8 images `(n, 3, h, w)`; at least one image."""
    from roco.training.prediction import logits_of

    return margins(logits_of(network, images, batch_size=batch_size), labels)


def margin_gradients(network: Network, images: Tensor, *, labels: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Margins float32 `(n,)` and their gradients by the pixels of float32 images `(n, 3, h, w)`, of the same shape.

    A gradient that is not finite becomes 0: its image then does not move.
    """
    import torch

    all_margins, slopes = [], []
    for part, part_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        with torch.enable_grad():
            values = part.detach().requires_grad_(True)
            margin = margins(network(values), part_labels)
            (slope,) = torch.autograd.grad(margin.sum(), values)
        all_margins.append(margin.detach())
        slopes.append(slope.nan_to_num(0.0, 0.0, 0.0))
    return torch.cat(all_margins), torch.cat(slopes)


def forward_batch(device: TorchDevice) -> int:
    """How many images pass a network at once: as many as fit the cache of a core, or fill a GPU."""
    return 1024 if device.type == "cuda" else 64


def gradient_batch(device: TorchDevice) -> int:
    """How many images are attacked by gradient at once; their activations are kept.

    On a GPU that is 17 GiB for DenseNet-BC-100-12 (33 MiB per image), 1.2 GiB for ResNet-32.
    """
    return 512 if device.type == "cuda" else 64
