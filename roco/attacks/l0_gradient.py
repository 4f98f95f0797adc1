"""White-box L0 attacks on uint8 images, batched: greedy choice of pixels by gradient, and sparse projected gradient.

Images that are done leave the batch, and nothing is random, so that a result does not depend on which images are
attacked beside it. What a success is, is decided by the caller.
"""

import torch
from torch import Tensor, nn

from roco.attacks.norms import DECIDED, forward_batch, gradient_batch, margin_gradients, margins_of
from roco.attacks.pixels import Problem
from roco.config import Greedy, SparseGradient
from roco.training import to_unit

# ---------------------------------------------------------------------------------------------------------------
# Greedy choice


def greedy(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    n_pixels: int,
    settings: Greedy,
    start: Tensor | None = None,
) -> Tensor:
    """Adds one pixel in a corner colour after the other, until the margin is reached or k pixels are changed.

    The gradient of the margin says to first order what each pixel would gain in its best corner colour. The pixels that
    promise most are tried, and the one with the largest margin stays.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        settings: how many pixels are tried for each that is changed, and the margin in logits at which it is done.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each: more are added to them.

    Returns:
        uint8 `(n, 3, h, w)`: the image with the largest margin that was found, for each.

    Source: the pixel choice of CornerSearch (Croce and Hein 2019), which tries every pixel; here the gradient chooses
    those that are tried, as in the Jacobian-based saliency map attack (Papernot et al. 2016).
    """
    network.eval()
    best = (images if start is None else start).clone()
    margins = margins_of(network, best, labels=labels, batch_size=forward_batch(images.device))
    current, enough = best.clone(), max(settings.margin, DECIDED)
    for _ in range(n_pixels):
        changed = _changed(images, current)
        active = torch.nonzero((margins < enough) & (changed.sum(dim=1) < n_pixels))[:, 0]
        if not len(active):
            break
        problem = Problem(network, current[active], labels[active], forward_batch(images.device))
        # Goes on from the pixel that was added even if the margin fell: the next one may gain with it.
        current[active], found = _with_best_pixel(problem, changed[active], candidates=settings.candidates)
        better = active[found > margins[active]]
        best[better] = current[better]
        margins[active] = torch.maximum(margins[active], found)
    return best


def _changed(clean: Tensor, images: Tensor) -> Tensor:
    """Which pixels differ, bool `(n, h w)`."""
    return (clean != images).any(dim=1).flatten(1)


def _with_best_pixel(problem: Problem, changed: Tensor, *, candidates: int) -> tuple[Tensor, Tensor]:
    """The problem's images with the best of the tried pixels set, and their margins; `changed` ones come last."""
    count, tried = len(problem.images), min(candidates, problem.positions)
    _, gradient = margin_gradients(
        problem.network, problem.images, labels=problem.labels, batch_size=gradient_batch(problem.images.device)
    )
    gradient, values = gradient.flatten(2), to_unit(problem.images).flatten(2)
    gains = torch.maximum(-gradient * values, gradient * (1 - values)).sum(dim=1)
    positions = gains.masked_fill(changed, -torch.inf).topk(tried, dim=1).indices
    corners = (gradient.gather(2, positions[:, None].expand(-1, 3, -1)) > 0).to(torch.uint8) * 255
    rows = torch.arange(count, device=changed.device)
    place, colour = positions.cpu().numpy(), corners.transpose(1, 2).contiguous().cpu().numpy()
    margins = problem.margins(
        rows.repeat_interleave(tried).cpu().numpy(), place.reshape(-1, 1), colours=colour.reshape(-1, 1, 3)
    ).reshape(count, tried)
    chosen, index = margins.argmax(axis=1), rows.cpu().numpy()
    images = problem.changed(index, place[index, chosen][:, None], colours=colour[index, chosen][:, None])
    best = torch.from_numpy(margins[index, chosen]).to(images.device, torch.float32)
    return images, best


# ---------------------------------------------------------------------------------------------------------------
# Sparse projected gradient

# So long that most values end at 0 or 1; a step moves an image by STEP in L1.
STEP = 500.0
MOMENTUM = 0.75


def sparse_gradient(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    n_pixels: int,
    settings: SparseGradient,
    start: Tensor | None = None,
) -> Tensor:
    """Gradient steps on all pixels, after each of which only the k pixels that matter most stay changed.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        settings: the steps, and the margin in logits at which an image is done.
        start: uint8 `(n, 3, h, w)` with at most k changed pixels each, to begin with.

    Returns:
        uint8 `(n, 3, h, w)`: the image with the largest margin that was found, for each.

    Source: Croce and Hein 2019 (Sparse and imperceivable adversarial attacks), PGD0: its projection and length of step.
    Differs from it: with momentum, from the clean image, and each iterate lies on the uint8 grid, so that its margin is
    that of an image which can be stored.
    """
    network.eval()
    best = (images if start is None else start).clone()
    current, velocity = best.clone(), torch.zeros(images.shape, device=images.device)
    margins = torch.full(labels.shape, -torch.inf, device=images.device)
    enough = max(settings.margin, DECIDED)
    # One gradient more than steps: the last iterate is measured, too.
    for _ in range(settings.steps + 1):
        active = torch.nonzero(margins < enough)[:, 0]
        if not len(active):
            break
        found, gradient = margin_gradients(
            network, current[active], labels=labels[active], batch_size=gradient_batch(images.device)
        )
        better = active[found > margins[active]]
        best[better] = current[better]
        margins[active] = torch.maximum(margins[active], found)
        size = gradient.abs().sum(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        velocity[active] = MOMENTUM * velocity[active] + gradient / size
        current[active] = _projected(images[active], current[active], step=STEP * velocity[active], n_pixels=n_pixels)
    return best


def _projected(clean: Tensor, images: Tensor, *, step: Tensor, n_pixels: int) -> Tensor:
    """The nearest uint8 images to `images` plus a step that differ from the clean ones in k pixels at most."""
    values, original = to_unit(images) + step, to_unit(clean)
    inside = values.clamp(0, 1)
    # How much nearer each pixel brings the image if it stays changed.
    gains = ((values - original) ** 2 - (values - inside) ** 2).sum(dim=1).flatten(1)
    kept = torch.zeros_like(gains, dtype=torch.bool)
    kept.scatter_(1, gains.topk(min(n_pixels, gains.shape[1]), dim=1).indices, True)
    whole = (inside * 255).round().to(torch.uint8)
    return torch.where(kept.view(len(clean), 1, *clean.shape[2:]), whole, clean)
