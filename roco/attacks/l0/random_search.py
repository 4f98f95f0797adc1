"""L0 by random search over pixel sets with corner colours, batched over images.

Each image has a generator of its own and leaves the batch when it is done, so that its result does not depend on which
images are attacked beside it.
"""

import logging
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from roco.attacks.l0.attack import PushedAttack
from roco.attacks.l0.greedy import Greedy
from roco.attacks.l0.pixels import Array, Problem, changes_of
from roco.attacks.types import Tensor
from roco.settings import Count

log = logging.getLogger("roco")

FIRST_SHARE = 0.3
REACH = 2
# Behind each share of the queries, the share of pixels that are drawn anew is FIRST_SHARE over the divisor.
SCHEDULE = (
    (0.0, 2), (0.005, 4), (0.02, 5), (0.05, 6), (0.1, 8), (0.2, 10), (0.4, 12), (0.6, 15), (0.8, 20),
)  # fmt: skip


class RandomSearch(PushedAttack):
    """L0 by random search over pixel sets with corner colours (Sparse-RS, Croce et al. 2022).

    Attributes:
        queries: how many pixel sets are tried for an image.
        greedy_candidates: how many pixels a white-box first step tries for each it sets; 0: no such step.
    """

    method: Literal["random_search"] = "random_search"
    queries: Count = 1000
    greedy_candidates: Annotated[int, Field(ge=0)] = 32

    @property
    def first_step(self) -> Greedy:
        """The greedy choice that a search with `greedy_candidates` starts from."""
        return Greedy(candidates=self.greedy_candidates, margin=self.margin)

    def push(self, problem: Problem) -> Tensor:
        """Random search until the margin is reached or the queries are used up.

        Each query draws some of the pixels anew and is dropped if its margin is smaller. When one pixel is drawn it
        goes anywhere, or takes another colour where it is, or moves a little with its colour.

        Source: Croce et al. 2022 (Sparse-RS), Algorithm 1, with its L0 schedule. Differs from it: pixels also stay and
        change their colour, or move to a position near by; otherwise a single pixel would be searched for blindly.
        """
        if self.greedy_candidates:
            problem = replace(problem, start=self.first_step.push(problem))
        count, height_and_width = len(problem.images), problem.images.shape[2:]
        # Some positions must be free to go to.
        k = min(problem.n_pixels, max(1, problem.positions // 2))
        positions, colours = _first_pixels(problem, k)
        margins = problem.margins(np.arange(count), positions, colours=colours)
        for query in range(1, self.queries):
            active = np.flatnonzero(margins < self.margin_to_reach)
            if not len(active):
                break
            if query % 200 == 0:
                log.info("random search: query %d of %d, %d images", query, self.queries, len(active))
            drawn = resampled(query / self.queries, k)
            draws = np.stack([problem.generators[row].random(k + 4 * drawn) for row in active])
            draw = _one_moved if drawn == 1 else _anew
            new_positions, new_colours = draw(positions[active], colours[active], draws=draws, size=height_and_width)
            new_margins = problem.margins(active, new_positions, colours=new_colours)
            better = new_margins >= margins[active]
            kept = active[better]
            positions[kept], colours[kept] = new_positions[better], new_colours[better]
            margins[kept] = new_margins[better]
        return problem.changed(np.arange(count), positions, colours=colours)


def resampled(progress: float, k: int) -> int:
    """How many of k pixels are drawn anew when a share `progress` > 0 of the queries is used (Sparse-RS's schedule)."""
    divisor = [divisor for begin, divisor in SCHEDULE if progress > begin][-1]
    return max(1, int(FIRST_SHARE / divisor * k))


def _first_pixels(problem: Problem, k: int) -> tuple[Array, Array]:
    """Positions int64 `(n, k)` and colours uint8 `(n, k, 3)` of the first candidates: random, or those of `start`."""
    generators, start = problem.generators, problem.start
    if start is not None:
        pairs = [
            changes_of(clean, image, n_pixels=k, generator=generator)
            for clean, image, generator in zip(problem.images, start, generators, strict=True)
        ]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
    positions = np.stack([generator.permutation(problem.positions)[:k] for generator in generators])
    corners = np.stack([generator.integers(0, 8, k) for generator in generators])
    return positions, _corner_colours(corners)


def _corner_colours(corners: Array) -> Array:
    """Corners of the colour cube 0..7 of any shape to uint8 colours `(..., 3)`."""
    colours: Array = ((corners[..., None] >> np.arange(3)) & 1).astype(np.uint8) * np.uint8(255)
    return colours


def _free_position(positions: Array, uniform: Array, *, total: int) -> Array:
    """A position outside the sets `(m, k)` for each number in [0, 1), uniformly."""
    free: Array = (uniform * (total - positions.shape[1])).astype(np.int64)
    for taken in np.sort(positions, axis=1).T:
        free += free >= taken
    return free


def _anew(positions: Array, colours: Array, *, draws: Array, size: tuple[int, ...]) -> tuple[Array, Array]:
    """Several pixels of each set drawn anew: other positions, corner colours; see `_one_moved`."""
    positions, colours = positions.copy(), colours.copy()
    rows, total, k = np.arange(len(positions)), size[0] * size[1], positions.shape[1]
    count = (draws.shape[1] - k) // 4
    slots = np.argsort(draws[:, :k], axis=1)[:, :count]
    for number, slot in enumerate(slots.T):
        where, corner = draws[:, k + 2 * number], draws[:, k + 2 * number + 1]
        positions[rows, slot] = _free_position(positions, where, total=total)
        colours[rows, slot] = _corner_colours((corner * 8).astype(np.int64))
    return positions, colours


def _one_moved(positions: Array, colours: Array, *, draws: Array, size: tuple[int, ...]) -> tuple[Array, Array]:
    """One pixel of each set changed: half the time put anywhere, else recoloured in place, or moved near by.

    Args:
        positions: int64 `(m, k)`.
        colours: uint8 `(m, k, 3)`.
        draws: numbers in [0, 1), uniform, `(m, k + 4)`: four for each pixel that is drawn.
        size: height and width of the images.
    """
    positions, colours = positions.copy(), colours.copy()
    rows, (height, width), k = np.arange(len(positions)), size, positions.shape[1]
    slot, kind = draws[:, :k].argmin(axis=1), draws[:, k]
    anywhere, recoloured = kind < 0.5, (kind >= 0.5) & (kind < 0.75)
    old, old_colour = positions[rows, slot], colours[rows, slot]
    step = (draws[:, k + 1 : k + 3] * (2 * REACH + 1)).astype(np.int64) - REACH
    near = (old // width + step[:, 0]).clip(0, height - 1) * width + (old % width + step[:, 1]).clip(0, width - 1)
    far = _free_position(positions, draws[:, k + 1], total=height * width)
    blocked = (near[:, None] == positions).any(axis=1)
    positions[rows, slot] = np.where(recoloured, old, np.where(anywhere | blocked, far, near))
    corner = ((old_colour > 127) << np.arange(3)).sum(axis=1)
    corner_draw = draws[:, k + 3]
    # A pixel that is recoloured must get another colour: flips one to three of its channels.
    corner = np.where(recoloured, corner ^ (1 + (corner_draw * 7).astype(np.int64)), (corner_draw * 8).astype(np.int64))
    colours[rows, slot] = np.where((anywhere | recoloured)[:, None], _corner_colours(corner), old_colour)
    return positions, colours
