"""White-box L0 attack on uint8 images that makes changes sparse by a smooth count of changed pixels."""

import math
from dataclasses import dataclass
from typing import Literal

from roco.attacks.l0.steps import Iterates, SteppedAttack, on_grid
from roco.attacks.norms import DECIDED
from roco.attacks.types import Tensor
from roco.settings import Count, Positive

# As published: how smooth the count is, the first threshold, and how far the threshold moves with a step of length 1.
SIGMA, THRESHOLD, THRESHOLD_STEP = 1e-3, 0.3, 0.01


@dataclass
class _State(Iterates):
    change: Tensor
    mean: Tensor
    square: Tensor
    threshold: Tensor


class SigmaZero(SteppedAttack):
    """L0 by sigma-zero (Cinà et al. 2025): Adam on the margin and a smooth count of changed pixels: white-box.

    Each step undoes changes below a threshold. The threshold falls while the network is right, else it rises.

    Source: Cinà et al. 2025 (sigma-zero), Algorithm 1, and the authors' code. Differs from it: it counts pixels, not
    values; an iterate that fools the network counts if it changes at most k pixels (theirs looks for the fewest); and
    iterates lie on the uint8 grid.

    Attributes:
        learning_rate: Adam's, at first; it falls to a tenth.
    """

    method: Literal["sigma_zero"] = "sigma_zero"
    steps: Count = 100
    learning_rate: Positive = 1.0

    def first(self, state: Iterates, n_pixels: int) -> _State:
        """See `SteppedAttack`."""
        import torch

        change = state.current - state.clean
        nothing, threshold = torch.zeros_like(change), torch.full_like(state.margins, THRESHOLD)
        return _State(**vars(state), change=change, mean=nothing, square=nothing, threshold=threshold)

    def next(self, state: Iterates, margins: Tensor, gradient: Tensor, *, n_pixels: int, step: int) -> None:
        """See `SteppedAttack`."""
        import torch

        assert isinstance(state, _State)
        is_held = margins < max(self.margin, DECIDED)
        size = state.change.square().sum(dim=1, keepdim=True)
        # The gradient of size / (size + sigma), as a share of all pixels.
        count_slope = 2 * state.change * SIGMA / (size + SIGMA).square() / size[0].numel()
        slope = count_slope - torch.where(is_held[:, None, None, None], gradient, 0.0)
        slope = slope / slope.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
        rate = self.learning_rate * (0.55 + 0.45 * math.cos(math.pi * step / self.steps))
        state.mean, state.square = 0.9 * state.mean + 0.1 * slope, 0.999 * state.square + 0.001 * slope.square()
        mean, square = state.mean / (1 - 0.9 ** (step + 1)), state.square / (1 - 0.999 ** (step + 1))
        change = (state.clean + state.change - rate * mean / (square.sqrt() + 1e-8)).clamp(0, 1) - state.clean
        moved = torch.where(is_held, -THRESHOLD_STEP, THRESHOLD_STEP) * rate
        state.threshold = (state.threshold + moved).clamp(0, 1)
        kept = change.abs().amax(dim=1, keepdim=True) >= state.threshold[:, None, None, None]
        state.change = torch.where(kept, change, 0.0)
        state.current = on_grid(state.clean + state.change)
