"""White-box L0 attacks on uint8 images, batched: greedy choice of pixels by gradient, and sparse projected gradient.

Images that are done leave the batch, and nothing is random, so that a result does not depend on which images are
attacked beside it. What a success is, is decided by the caller.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.norms import DECIDED, forward_batch, gradient_batch, margin_gradients, margins_of
from roco.attacks.pixels import CORNERS, Array, Problem
from roco.attacks.set_settings import FIRST_BLOCK, Greedy, SparseGradient
from roco.training.loop import to_unit

# ---------------------------------------------------------------------------------------------------------------
# Greedy choice

# How much of the way to being fooled the best of the pixels that are tried first has to bring an image for more to be
# tried: of 100 images of a LeNet none that fell to a later one was brought less.
HOPELESS = 0.75


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

    The gradient says to first order what each pixel would gain in its best corner colour. The pixels that promise most
    are tried, and the one with the largest margin stays. For the last pixel it is taken for several of the likeliest
    other classes (`rivals`), more pixels are tried, in blocks until one reaches the margin, and where none does all
    corner colours of the best ones (`corners`); but not for an image that the first block leaves far from being fooled.

    Args:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, correctly classified, on the network's device.
        labels: int64 `(n,)`.
        n_pixels: k, how many pixels may change.
        settings: what is tried for each pixel that is changed, and the margin in logits at which an image is done.
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
        left = n_pixels - changed[active].sum(dim=1)
        current[active], found = _with_best_pixel(problem, changed[active], last=left == 1, settings=settings)
        better = active[found > margins[active]]
        best[better] = current[better]
        margins[active] = torch.maximum(margins[active], found)
    return best


def _changed(clean: Tensor, images: Tensor) -> Tensor:
    """Which pixels differ, bool `(n, h w)`."""
    return (clean != images).any(dim=1).flatten(1)


def _with_best_pixel(problem: Problem, changed: Tensor, *, last: Tensor, settings: Greedy) -> tuple[Tensor, Tensor]:
    """The problem's images with the best of the tried pixels set, and their margins; `changed` ones come last."""
    now, gains, corners = _promises(problem, last=last, rivals=settings.rivals)
    tried = min(settings.candidates, problem.positions)
    order = gains.masked_fill(changed, -torch.inf).topk(tried, dim=1).indices
    positions = order.cpu().numpy()
    colours = corners.gather(2, order[:, None].expand(-1, 3, -1)).transpose(1, 2).contiguous().cpu().numpy()
    enough = max(settings.margin, DECIDED)
    # What the first block has to reach for more to be tried.
    least = torch.where(now < DECIDED, now + HOPELESS * (DECIDED - now), -torch.inf)
    hopeful = least.masked_fill(~last, torch.inf).cpu().numpy()
    margins = np.full(positions.shape, -np.inf)
    open_rows = np.arange(len(positions))
    # The most promising first: most images are done with those.
    for begin, end in pairwise(_bounds(tried)):
        part = (open_rows, slice(begin, end))
        margins[part] = _tried(problem, open_rows, positions[part], colours=colours[part])
        reached = margins.max(axis=1)
        open_rows = np.flatnonzero((reached < enough) & (reached >= hopeful))
    if settings.corners and len(open_rows):
        # For these the gradient may have named the wrong colour: it holds near the image's own.
        top = np.argsort(-margins, axis=1, kind="stable")[:, : settings.corners]
        again = np.repeat(np.take_along_axis(positions, top, axis=1), len(CORNERS), axis=1)
        every = np.tile(CORNERS, (len(top), top.shape[1], 1))
        found = np.full(again.shape, -np.inf)
        found[open_rows] = _tried(problem, open_rows, again[open_rows], colours=every[open_rows])
        pairs = ((positions, again), (colours, every), (margins, found))
        positions, colours, margins = (np.concatenate(pair, axis=1) for pair in pairs)
    rows, chosen = np.arange(len(positions)), margins.argmax(axis=1)
    images = problem.changed(rows, positions[rows, chosen][:, None], colours=colours[rows, chosen][:, None])
    return images, torch.from_numpy(margins[rows, chosen]).to(images.device, torch.float32)


def _bounds(tried: int) -> list[int]:
    """Where blocks of candidates end: a first one, and each as long as all before it."""
    bounds = [0, min(FIRST_BLOCK, tried)]
    while bounds[-1] < tried:
        bounds.append(min(2 * bounds[-1], tried))
    return bounds


def _tried(problem: Problem, rows: Array, positions: Array, *, colours: Array) -> Array:
    """The margins `(m, c)` of the images `rows` `(m,)` with each of their own c pixels set alone."""
    flat = problem.margins(
        np.repeat(rows, positions.shape[1]), positions.reshape(-1, 1), colours=colours.reshape(-1, 1, 3)
    )
    return flat.reshape(positions.shape)


def _promises(problem: Problem, *, last: Tensor, rivals: int) -> tuple[Tensor, Tensor, Tensor]:
    """The margins `(n,)`, what each pixel would gain to first order, `(n, h w)`, and in which corner colour.

    The colours are uint8 `(n, 3, h w)`. A gain is the largest lead that one of the rivals would then have over the true
    class, less the likeliest one's lead now. Others than the likeliest count for the last pixel only.
    """
    batch, now, gains, corners = gradient_batch(problem.images.device), [], [], []
    parts = (each.split(batch) for each in (problem.images, problem.labels, last))
    for images, labels, is_last in zip(*parts, strict=True):
        with torch.enable_grad():
            values = to_unit(images).requires_grad_(True)
            logits = problem.network(values)
            others = logits.detach().scatter(1, labels[:, None], -torch.inf)
            classes = others.topk(min(rivals if is_last.any() else 1, others.shape[1] - 1), dim=1).indices
            leads = (logits.gather(1, classes) - logits.gather(1, labels[:, None])).unbind(dim=1)
            slopes = [torch.autograd.grad(lead.sum(), values, retain_graph=True)[0].flatten(2) for lead in leads]
        flat = values.detach().flatten(2)
        best, corner = torch.full_like(flat[:, 0], -torch.inf), torch.zeros_like(flat, dtype=torch.bool)
        for lead, slope in zip(leads, slopes, strict=True):
            # A gradient that is not finite is 0.
            slope = slope.nan_to_num(0.0, 0.0, 0.0)
            gain = torch.maximum(-slope * flat, slope * (1 - flat)).sum(dim=1)
            gain = gain + (lead - leads[0]).detach().nan_to_num(0.0)[:, None]
            if lead is not leads[0]:
                gain = gain.masked_fill(~is_last[:, None], -torch.inf)
            corner = torch.where((gain > best)[:, None], slope > 0, corner)
            best = torch.maximum(best, gain)
        now.append(leads[0].detach())
        gains.append(best)
        corners.append(corner.to(torch.uint8) * 255)
    return torch.cat(now), torch.cat(gains), torch.cat(corners)


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
