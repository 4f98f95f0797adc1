"""White-box L0 attack on uint8 images by sparse projected gradient.

Images that are done leave the batch, and nothing is random, so that a result does not depend on which images are
attacked beside it.
"""

from typing import Literal

from roco.attacks.l0.attack import PushedAttack
from roco.attacks.l0.pixels import Problem
from roco.attacks.norms import gradient_batch, margin_gradients
from roco.attacks.types import Tensor
from roco.settings import Count

# A step moves an image by so much in L1; it is so long that most values end at 0 or 1.
STEP = 500.0
MOMENTUM = 0.75


class SparseGradient(PushedAttack):
    """L0 by projected gradient (PGD0, Croce and Hein 2019): white-box."""

    method: Literal["sparse_gradient"] = "sparse_gradient"
    steps: Count = 100

    def push(self, problem: Problem) -> Tensor:
        """Gradient steps on all pixels, after each of which only the k pixels that matter most stay changed.

        Source: Croce and Hein 2019 (Sparse and imperceivable adversarial attacks), PGD0: its projection and length of
        step. Differs from it: with momentum, from the clean image, and each iterate lies on the uint8 grid, so that its
        margin is that of an image which can be stored.
        """
        import torch

        images, labels = problem.images, problem.labels
        best = (images if problem.start is None else problem.start).clone()
        current, velocity = best.clone(), torch.zeros(images.shape, device=images.device)
        margins = torch.full(labels.shape, -torch.inf, device=images.device)
        # One gradient more than steps: the last iterate is measured, too.
        for _ in range(self.steps + 1):
            active = torch.nonzero(margins < self.margin_to_reach)[:, 0]
            if not len(active):
                break
            new_margins, gradient = margin_gradients(
                problem.network, current[active], labels=labels[active], batch_size=gradient_batch(images.device)
            )
            better = active[new_margins > margins[active]]
            best[better] = current[better]
            margins[active] = torch.maximum(margins[active], new_margins)
            size = gradient.abs().sum(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
            velocity[active] = MOMENTUM * velocity[active] + gradient / size
            step = STEP * velocity[active]
            current[active] = _projected(images[active], current[active], step=step, n_pixels=problem.n_pixels)
        return best


def _projected(clean: Tensor, images: Tensor, *, step: Tensor, n_pixels: int) -> Tensor:
    """The nearest uint8 images to `images` plus a step that differ from the clean ones in k pixels at most."""
    import torch

    from roco.training.batches import to_unit

    values, original = to_unit(images) + step, to_unit(clean)
    inside = values.clamp(0, 1)
    # How much nearer each pixel brings the image if it stays changed.
    gains = ((values - original) ** 2 - (values - inside) ** 2).sum(dim=1).flatten(1)
    kept = torch.zeros_like(gains, dtype=torch.bool)
    kept.scatter_(1, gains.topk(min(n_pixels, gains.shape[1]), dim=1).indices, True)
    whole = (inside * 255).round().to(torch.uint8)
    return torch.where(kept.view(len(clean), 1, *clean.shape[2:]), whole, clean)
