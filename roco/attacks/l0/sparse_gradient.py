"""White-box L0 attack on uint8 images by sparse projected gradient."""

from dataclasses import dataclass
from typing import Literal

from roco.attacks.l0.steps import Iterates, SteppedAttack, largest, on_grid
from roco.attacks.types import Tensor
from roco.settings import Count

# A step moves an image by so much in L1; it is so long that most values end at 0 or 1.
STEP = 500.0
MOMENTUM = 0.75


@dataclass
class _State(Iterates):
    velocity: Tensor


class SparseGradient(SteppedAttack):
    """L0 by projected gradient (PGD0, Croce and Hein 2019): white-box.

    Each step moves all pixels; then only the k pixels that matter most stay changed.

    Source: Croce and Hein 2019 (Sparse and imperceivable adversarial attacks), PGD0: its projection and length of step.
    Differs from it: it has momentum, starts at the clean image, and its iterates lie on the uint8 grid, as stored
    images do.
    """

    method: Literal["sparse_gradient"] = "sparse_gradient"
    steps: Count = 100

    def first(self, state: Iterates, n_pixels: int) -> _State:
        """See `SteppedAttack`."""
        import torch

        return _State(**vars(state), velocity=torch.zeros_like(state.current))

    def next(self, state: Iterates, margins: Tensor, gradient: Tensor, *, n_pixels: int, step: int) -> None:
        """See `SteppedAttack`."""
        import torch

        assert isinstance(state, _State)
        size = gradient.abs().sum(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        state.velocity = MOMENTUM * state.velocity + gradient / size
        moved, clean = state.current + STEP * state.velocity, state.clean
        # How much nearer to `moved` the image stays for each pixel that stays changed.
        gains = ((moved - clean) ** 2 - (moved - moved.clamp(0, 1)) ** 2).sum(dim=1).flatten(1)
        kept = largest(gains, n_pixels).view(len(clean), 1, *clean.shape[2:])
        state.current = torch.where(kept, on_grid(moved), clean)
