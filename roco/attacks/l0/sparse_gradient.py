"""White-box L0 attack on uint8 images by sparse projected gradient.

Images that are done leave the batch when the host looks, and nothing is random, so that a result depends neither on
that nor on which images are attacked beside it.
"""

from dataclasses import dataclass
from typing import Literal

from roco.attacks.l0.attack import PushedAttack
from roco.attacks.l0.pixels import OpenImages, Problem
from roco.attacks.norms import gradient_batch, margin_gradients
from roco.attacks.passes import Passes
from roco.attacks.types import Tensor
from roco.settings import Count

# A step moves an image by so much in L1; it is so long that most values end at 0 or 1.
STEP = 500.0
MOMENTUM = 0.75
# The host looks which images are done after so many steps.
LOOK = 5


@dataclass
class _State(OpenImages):
    """The images that are still attacked; `current` and `velocity` are `(m, 3, h, w)`."""

    current: Tensor
    velocity: Tensor


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

        from roco.training.batches import to_unit

        start = problem.images if problem.start is None else problem.start
        results, best, rows = start.clone(), to_unit(start), torch.arange(len(start), device=start.device)
        nothing = torch.full(rows.shape, -torch.inf, device=rows.device)
        state = _State(rows, problem.labels, to_unit(problem.images), best, nothing, best, torch.zeros_like(best))
        # One gradient more than steps: the last iterate is measured, too.
        for step in range(self.steps + 1):
            if step % LOOK == 0:
                state = state.still_open(results, self.margin_to_reach)
            if not len(state.rows):
                break
            self._step(state, problem)
        state.still_open(results, -torch.inf)
        return results

    def _step(self, state: _State, problem: Problem) -> None:
        """Measures the iterates, keeps those that are better, and goes on from them along the gradient."""
        import torch

        margins, gradient = margin_gradients(
            problem.network, state.current, labels=state.labels, batch_size=gradient_batch(state.current.device)
        )
        better = (margins > state.margins) & (state.margins < self.margin_to_reach)
        state.best = torch.where(better[:, None, None, None], state.current, state.best)
        state.margins = torch.where(better, margins, state.margins)
        size = gradient.abs().sum(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        state.velocity = MOMENTUM * state.velocity + gradient / size
        moved = state.current + STEP * state.velocity
        state.current = projected(state.clean, moved, n_pixels=problem.n_pixels)

    def push_passes(self, *, pixels: int, thresholds: int) -> Passes:
        """All steps at each threshold."""
        del pixels
        return Passes(gradient=thresholds * self.steps)


def projected(clean: Tensor, images: Tensor, *, n_pixels: int) -> Tensor:
    """The nearest images on the uint8 grid that differ from the clean ones in k pixels at most, `(n, 3, h, w)`.

    Args:
        clean: float32 in [0, 1], on that grid.
        images: float32, any values.
        n_pixels: k.
    """
    import torch

    inside = images.clamp(0, 1)
    # How much nearer each pixel brings the image if it stays changed.
    gains = ((images - clean) ** 2 - (images - inside) ** 2).sum(dim=1).flatten(1)
    kept = torch.zeros_like(gains, dtype=torch.bool)
    kept.scatter_(1, gains.topk(min(n_pixels, gains.shape[1]), dim=1).indices, True)
    return torch.where(kept.view(len(clean), 1, *clean.shape[2:]), (inside * 255).round() / 255, clean)
