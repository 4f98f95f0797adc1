"""What all L0 attacks share: how they are called, when an image is done, and the exhaustive search for one pixel."""

from typing import TYPE_CHECKING

from roco.attacks.l0.pixels import Problem, changed, corners
from roco.attacks.norms import DECIDED, forward_batch
from roco.attacks.types import Network, Tensor
from roco.settings import NonNegative, Section

# Of the cube of colours.
CORNERS = 8


class PixelAttack(Section):
    """An L0 attack: its settings, and how it changes at most k pixels of an image."""

    if TYPE_CHECKING:
        # Each attack declares it: a field here would come before shared keys wherever settings are shown.
        method: str

    def without_gradients(self) -> "PixelAttack | None":
        """The part of the attack that works on a network without gradients; None if there is no such part."""
        return None

    def perturb(self, problem: Problem) -> Tensor:
        """For each image the perturbed one with the largest margin, uint8 `(n, 3, h, w)`; the caller judges it."""
        raise NotImplementedError


class PushedAttack(PixelAttack):
    """An L0 attack that goes on until a wrong class leads by a margin in logits: such images transfer better.

    Attributes:
        margin: by how many logits a wrong class has to lead before an image is done.
        exhaustive: whether all pixels are tried in all corner colours where one may change.
    """

    margin: NonNegative = 5.0
    exhaustive: bool = False

    @property
    def margin_to_reach(self) -> float:
        """The margin at which an image is done; never so small that rounding decides."""
        return max(self.margin, DECIDED)

    def perturb(self, problem: Problem) -> Tensor:
        """See `PixelAttack`; with `exhaustive`, a single pixel is searched for exhaustively."""
        return best_single_pixel(problem) if self.exhaustive and problem.n_pixels == 1 else self.push(problem)

    def push(self, problem: Problem) -> Tensor:
        """The attack itself; see `PixelAttack.perturb`."""
        raise NotImplementedError


def attack_l0(
    network: Network,
    images: Tensor,
    *,
    labels: Tensor,
    n_pixels: int,
    settings: PixelAttack,
    keys: Tensor,
    start: Tensor | None = None,
) -> Tensor:
    """Images uint8 `(n, 3, h, w)` under an attack with at most k changed pixels; the arguments are as in `Problem`."""
    batch_size = forward_batch(images.device)
    return settings.perturb(Problem(network.eval(), images, labels, n_pixels, keys, start, batch_size))


def best_single_pixel(problem: Problem) -> Tensor:
    """Images uint8 `(n, 3, h, w)` with the best single pixel in a corner colour: all of them are tried."""
    import torch

    device, n = problem.images.device, len(problem.images)
    positions = torch.arange(problem.positions, device=device).repeat_interleave(CORNERS)[:, None]
    colours = corners(device).repeat(problem.positions, 1)[:, None]
    margins = problem.margins_with(positions.expand(n, -1, -1), colours.expand(n, -1, -1, -1))
    best = margins.argmax(dim=1)
    return changed(problem.images, positions[best], colours=colours[best])
