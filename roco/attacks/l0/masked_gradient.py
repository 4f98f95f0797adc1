"""White-box L0 attack on uint8 images that learns a mask of pixels and, separately, how they change."""

from dataclasses import dataclass
from typing import Literal

from roco.attacks.l0.counter import below, bits
from roco.attacks.l0.steps import Iterates, SteppedAttack, largest, on_grid
from roco.attacks.types import Tensor
from roco.settings import Count

# As published: steps of the changes and of the mask; after so many steps with the same pixels the mask is drawn anew.
CHANGE_STEP, MASK_STEP, PATIENCE = 0.25, 0.25, 3
# Numbers of so many bits are float32 exactly.
BITS = 24


@dataclass
class _State(Iterates):
    change: Tensor
    mask: Tensor
    kept: Tensor
    unchanged: Tensor


class MaskedGradient(SteppedAttack):
    """L0 by sparse PGD (sPGD, Zhong et al. 2024), which learns a mask of k pixels and their changes: white-box.

    Source: Zhong, Huang and Liu 2024 (Towards efficient training and evaluation of robust models against l0 bounded
    adversarial perturbations), Algorithm 1, and the authors' code. Differs from it: the margin is raised, not the
    cross-entropy; a mask is drawn from a uniform distribution of the same spread; iterates lie on the uint8 grid.

    Attributes:
        unprojected: whether all pixels' changes are learned, or those of the k pixels of the mask only.
    """

    method: Literal["masked_gradient"] = "masked_gradient"
    steps: Count = 100
    unprojected: bool = True

    def first(self, state: Iterates, n_pixels: int) -> _State:
        """See `SteppedAttack`; draws the first mask and changes at random."""
        random = _random(state, 0, draws=4 * state.clean[0, 0].numel())
        pixels = random[:, : random.shape[1] // 4]
        change = (state.clean + random[:, pixels.shape[1] :].view_as(state.clean)).clamp(0, 1) - state.clean
        mask = 3**0.5 * pixels
        kept = largest(mask, n_pixels)
        made = _State(**vars(state), change=change, mask=mask, kept=kept, unchanged=kept.new_zeros(len(kept)).long())
        made.current = _masked(made)
        return made

    def next(self, state: Iterates, margins: Tensor, gradient: Tensor, *, n_pixels: int, step: int) -> None:
        """See `SteppedAttack`."""
        import torch

        assert isinstance(state, _State)
        soft = state.mask.sigmoid()
        by_mask = (gradient * state.change).sum(dim=1).flatten(1) * soft * (1 - soft)
        by_change = gradient * (soft if self.unprojected else state.kept).view(len(soft), 1, *gradient.shape[2:])
        size = by_mask.norm(dim=1, keepdim=True)
        mask = state.mask + MASK_STEP * gradient[0].numel() ** 0.5 * by_mask / (size + 1e-10)
        change = (state.change + CHANGE_STEP * by_change.sign()).clamp(-1, 1)
        state.change = (state.clean + change).clamp(0, 1) - state.clean
        kept = largest(mask, n_pixels)
        state.unchanged = torch.where((kept == state.kept).all(dim=1), state.unchanged + 1, 0)
        is_stuck = state.unchanged >= PATIENCE
        anew = 3**0.5 * _random(state, step + 1, draws=mask.shape[1])
        state.mask = torch.where(is_stuck[:, None], anew, mask)
        state.kept = torch.where(is_stuck[:, None], largest(anew, n_pixels), kept)
        state.unchanged = torch.where(is_stuck, 0, state.unchanged)
        state.current = _masked(state)


def _masked(state: _State) -> Tensor:
    """The clean images with the changes of the pixels that are kept."""
    return on_grid(state.clean + state.change * state.kept.view(len(state.kept), 1, *state.clean.shape[2:]))


def _random(state: Iterates, step: int, *, draws: int) -> Tensor:
    """Uniform numbers from -1 to 1, float32 `(m, draws)`."""
    whole = below(bits(state.keys, range(step, step + 1), draws=draws)[0], 2**BITS)
    return whole.float() * 2.0 ** (1 - BITS) - 1
