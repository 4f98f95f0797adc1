"""The L0 attacks that follow the gradient step by step: what they share.

When the host looks, images that are done leave the batch. Each image has its own random numbers, so that a result
depends neither on when the host looks nor on the other images.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roco.attacks.l0.attack import PushedAttack
from roco.attacks.l0.pixels import OpenImages, Problem
from roco.attacks.norms import changed_pixels, gradient_batch, margin_gradients
from roco.attacks.types import Tensor

# The host looks which images are done after so many steps.
LOOK = 5


@dataclass
class Iterates(OpenImages):
    """The images that are still attacked.

    Attributes:
        keys: int64 `(m,)`.
        current: the iterates, float32 `(m, 3, h, w)` in [0, 1], on the uint8 grid.
    """

    keys: Tensor
    current: Tensor


class SteppedAttack(PushedAttack):
    """An L0 attack with `steps`: its first iterates, and the next ones given the margins' gradients."""

    if TYPE_CHECKING:
        # Each attack declares it, after its method.
        steps: int

    def first(self, state: Iterates, n_pixels: int) -> Iterates:
        """The state before the first step: given the common part, with the attack's own tensors."""
        raise NotImplementedError

    def next(self, state: Iterates, margins: Tensor, gradient: Tensor, *, n_pixels: int, step: int) -> None:
        """Makes the next `state.current`, given the present margins and their gradients `(m, 3, h, w)`."""
        raise NotImplementedError

    def push(self, problem: Problem) -> Tensor:
        """Keeps, of all iterates with at most k changed pixels, the one with the largest margin."""
        import torch

        from roco.training.batches import to_unit

        start, device = problem.images if problem.start is None else problem.start, problem.images.device
        results, best, rows = start.clone(), to_unit(start), torch.arange(len(start), device=device)
        margins = problem.margins(best, problem.labels)
        state = Iterates(rows, problem.labels, to_unit(problem.images), best, margins, problem.keys, best)
        state = self.first(state, problem.n_pixels)
        # One gradient more than steps, for the margins of the last iterate.
        for step in range(self.steps + 1):
            if step % LOOK == 0:
                state = state.still_open(results, self.margin_to_reach)
            if not len(state.rows):
                break
            margins, gradient = margin_gradients(
                problem.network, state.current, labels=state.labels, batch_size=gradient_batch(device)
            )
            too_many = changed_pixels(state.clean, state.current) > problem.n_pixels
            allowed = margins.masked_fill(too_many, -torch.inf)
            state.keep(state.current, allowed, until=self.margin_to_reach, equal=False)
            self.next(state, margins, gradient, n_pixels=problem.n_pixels, step=step)
        state.still_open(results, -torch.inf)
        return results


def on_grid(images: Tensor) -> Tensor:
    """The nearest images in [0, 1] on the uint8 grid."""
    return (images.clamp(0, 1) * 255).round() / 255


def largest(values: Tensor, count: int) -> Tensor:
    """Marks the `count` largest values of each row `(m, h w)`: bool of that shape."""
    import torch

    chosen = values.topk(min(count, values.shape[1]), dim=1).indices
    return torch.zeros_like(values, dtype=torch.bool).scatter_(1, chosen, True)
