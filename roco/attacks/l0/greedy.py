"""White-box L0 attack on uint8 images by greedy choice of pixels: the gradient says which pixels are tried.

Images that are done leave the batch, and nothing is random: a result does not depend on the other images.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from roco.attacks.l0.attack import CORNERS, PushedAttack
from roco.attacks.l0.pixels import Problem, changed, corners, differing
from roco.attacks.norms import DECIDED, gradient_batch, margins_of
from roco.attacks.types import Tensor
from roco.settings import Count

# How many candidates are tried first. For all pixels but the last no more are tried.
FIRST_BLOCK = 64
# More candidates are tried only if the best of the first block brings the image this share of the way to being fooled.
# Of 100 images of a LeNet, none that fell to a later candidate had come less far.
HOPELESS = 0.75


class Greedy(PushedAttack):
    """L0 by greedy choice of pixels in corner colours; gradients say which pixels are tried: white-box.

    Attributes:
        candidates: how many pixels are tried for the last pixel that is changed; for those before it 64 at most.
        rivals: for the last pixel, gradients are taken for so many of the likeliest other classes.
        corners: for the last pixel, all corner colours of so many of the best candidates are tried if none is enough.
    """

    method: Literal["greedy"] = "greedy"
    candidates: Count = 32
    rivals: Count = 1
    corners: Annotated[int, Field(ge=0)] = 0

    def push(self, problem: Problem) -> Tensor:
        """Changes pixel after pixel to a corner colour, until the margin is reached or k pixels are changed.

        The gradient estimates, to first order, what each pixel would gain in its best corner colour. The most
        promising pixels are tried, and the pixel with the largest margin stays. For the last pixel more is done:
        gradients are taken for several of the likeliest other classes (`rivals`); more pixels are tried, block by
        block, until a pixel reaches the margin; if no pixel does, all corner colours of the best pixels are tried
        (`corners`). An image that the first block leaves far from being fooled is given up.

        Source: the pixel choice of CornerSearch (Croce and Hein 2019), which tries every pixel; here the gradient
        chooses what is tried, as in the Jacobian-based saliency map attack (Papernot et al. 2016).
        """
        import torch

        clean, labels, n_pixels = problem.images, problem.labels, problem.n_pixels
        best = (clean if problem.start is None else problem.start).clone()
        margins = margins_of(problem.network, best, labels=labels, batch_size=problem.batch_size)
        current = best.clone()
        for _ in range(n_pixels):
            taken = differing(clean, current)
            active = torch.nonzero((margins < self.margin_to_reach) & (taken.sum(dim=1) < n_pixels))[:, 0]
            if not len(active):
                break
            # Keeps the added pixel even if the margin fell: the next pixel may gain from it.
            left = n_pixels - taken[active].sum(dim=1)
            now = replace(problem, images=current, start=None).only(active)
            added, new_margins = _with_best_pixel(now, taken[active], last=left == 1, settings=self)
            better = new_margins > margins[active]
            current[active] = added
            best[active] = torch.where(better[:, None, None, None], added, best[active])
            margins[active] = torch.maximum(margins[active], new_margins)
        return best


def _with_best_pixel(problem: Problem, taken: Tensor, *, last: Tensor, settings: Greedy) -> tuple[Tensor, Tensor]:
    """The images with one more pixel, the best for each, and the new margins float32 `(n,)`.

    Args:
        problem: the images as they are now.
        taken: which pixels are set already, bool `(n, h w)`; they are tried last.
        last: for which images this is the last pixel, bool `(n,)`.
        settings: how many candidates are tried.
    """
    import torch

    now, gains, best_corners = _promises(problem, last=last, rivals=settings.rivals)
    tried = min(settings.candidates, problem.positions)
    positions = gains.masked_fill(taken, -torch.inf).topk(tried, dim=1).indices
    colours = best_corners.gather(2, positions[:, None].expand(-1, 3, -1)).transpose(1, 2)
    # What the first block has to reach for more to be tried.
    least = torch.where(now < DECIDED, now + HOPELESS * (DECIDED - now), -torch.inf)
    hopeful = least.masked_fill(~last, torch.inf)
    margins = torch.full(positions.shape, -torch.inf, device=positions.device)
    open_rows = torch.arange(len(positions), device=positions.device)
    # The most promising candidates first: they are enough for most images.
    for begin, end in pairwise(_bounds(tried)):
        part = positions[open_rows, begin:end], colours[open_rows, begin:end]
        margins[open_rows, begin:end] = _tried(problem, open_rows, *part)
        reached = margins.amax(dim=1)
        open_rows = ((reached < settings.margin_to_reach) & (reached >= hopeful)).nonzero()[:, 0]
        if not len(open_rows):
            break
    if settings.corners and len(open_rows):
        # Here the gradient may have named the wrong colour: it is exact only near the image's own colour.
        top = margins.argsort(dim=1, descending=True, stable=True)[:, : settings.corners]
        again = positions.gather(1, top).repeat_interleave(CORNERS, dim=1)
        every = corners(top.device).repeat(top.shape[1], 1).expand(len(top), -1, -1)
        with_corners = torch.full(again.shape, -torch.inf, device=top.device)
        with_corners[open_rows] = _tried(problem, open_rows, again[open_rows], every[open_rows])
        pairs = ((positions, again), (colours, every), (margins, with_corners))
        positions, colours, margins = (torch.cat(pair, dim=1) for pair in pairs)
    best, chosen = margins.max(dim=1, keepdim=True)
    colour = colours.gather(1, chosen[:, :, None].expand(-1, -1, 3))
    return changed(problem.images, positions.gather(1, chosen), colours=colour), best[:, 0]


def _bounds(tried: int) -> list[int]:
    """The bounds of the blocks of candidates: each block is as long as all blocks before it together."""
    bounds = [0, min(FIRST_BLOCK, tried)]
    while bounds[-1] < tried:
        bounds.append(min(2 * bounds[-1], tried))
    return bounds


def _tried(problem: Problem, rows: Tensor, positions: Tensor, colours: Tensor) -> Tensor:
    """The margins `(m, c)` of the images `rows` `(m,)`, each with one of its c candidate pixels set at a time."""
    return problem.only(rows).margins_with(positions[:, :, None], colours[:, :, None])


def _promises(problem: Problem, *, last: Tensor, rivals: int) -> tuple[Tensor, Tensor, Tensor]:
    """The margins `(n,)`, what each pixel would gain `(n, h w)` to first order, and the corner colours for that.

    The colours are uint8 `(n, 3, h w)`. A gain is the largest lead that a rival class would then have over the true
    class, minus the lead of the likeliest rival now. Rivals other than the likeliest count for the last pixel only.
    """
    import torch

    from roco.training.batches import to_unit

    batch, now, gains, colours = gradient_batch(problem.images.device), [], [], []
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
        colours.append(corner.to(torch.uint8) * 255)
    return torch.cat(now), torch.cat(gains), torch.cat(colours)
