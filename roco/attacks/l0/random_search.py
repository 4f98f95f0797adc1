"""L0 by random search over pixel sets with corner colours, batched over images.

Everything stays on the device. From time to time the host looks which images are done and takes them out of the batch.
Results depend neither on when it looks nor on the other images of the batch.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Annotated, Literal

from pydantic import Field

from roco.attacks.l0.attack import PushedAttack
from roco.attacks.l0.counter import below, bits
from roco.attacks.l0.greedy import Greedy
from roco.attacks.l0.pixels import OpenImages, Problem, changed, corners, first_positions, painted
from roco.attacks.types import Tensor
from roco.settings import Count

log = logging.getLogger("roco")

FIRST_SHARE = 0.3
REACH = 2
# Behind each share of the queries, the share of pixels that are drawn anew is FIRST_SHARE over the divisor.
SCHEDULE = (
    (0.0, 2), (0.005, 4), (0.02, 5), (0.05, 6), (0.1, 8), (0.2, 10), (0.4, 12), (0.6, 15), (0.8, 20),
)  # fmt: skip
# The host looks again after an eighth of the queries made so far, so that few are wasted, and after 50 at the latest.
LOOK = 50
LOOK_SHARE = 8
# A number from 0 to 3 decides what a query does with a pixel; 0 and 1 move it anywhere.
RECOLOUR, NEAR = 2, 3
# Random numbers for each drawn pixel: the kind of move, the new position, the colour, the neighbour.
DRAWS = 4


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

    def without_gradients(self) -> "RandomSearch":
        """See `PixelAttack`: without the greedy first step."""
        return self.model_copy(update={"greedy_candidates": 0})

    def push(self, problem: Problem) -> Tensor:
        """Random search until the margin is reached or the queries are used up.

        Each query draws some of the pixels anew and is dropped if its margin is smaller. A pixel that is drawn alone
        moves anywhere, or changes its colour, or moves to a neighbour with its colour.

        Source: Croce et al. 2022 (Sparse-RS), Algorithm 1, with its L0 schedule. Differs from it: a pixel may also
        change its colour or move to a neighbour; otherwise a single pixel would be searched for blindly.
        """
        import torch

        if self.greedy_candidates:
            problem = replace(problem, start=self.first_step.push(problem))
        # Pixels need free positions to move to.
        k = min(problem.n_pixels, max(1, problem.positions // 2))
        results, state, near = problem.images.clone(), _first(problem, k), _neighbours(problem.images)
        for queries, drawn in blocks(self.queries, k):
            state = state.still_open(results, self.margin_to_reach)
            if not len(state.rows):
                break
            if queries.start // 200 < queries.stop // 200:
                log.info("random search: query %d of %d, %d images", queries.stop, self.queries, len(state.rows))
            moves = _moves(state.keys, queries, k=k, drawn=drawn, positions=problem.positions)
            for query in range(len(queries)):
                images, positions = state.best, state.positions
                for move in moves:
                    images, positions = move.of(query).made(state.clean, images, positions, near=near)
                margins = problem.margins(images.view(-1, *results.shape[1:]), state.labels)
                better = state.keep(images, margins, until=self.margin_to_reach, equal=True)
                state.positions = torch.where(better[:, None], positions, state.positions)
        state.still_open(results, -float("inf"))
        return results


def resampled(progress: float, k: int) -> int:
    """How many of k pixels are drawn anew when a share `progress` > 0 of the queries is used (Sparse-RS's schedule)."""
    divisor = [divisor for begin, divisor in SCHEDULE if progress > begin][-1]
    return max(1, int(FIRST_SHARE / divisor * k))


def blocks(queries: int, k: int) -> Iterator[tuple[range, int]]:
    """Blocks of queries (the first query is made already), and how many pixels each query of a block draws anew.

    The host looks between blocks.
    """
    begin = 1
    while begin < queries:
        drawn, end = resampled(begin / queries, k), begin + 1
        last = min(queries, begin + min(LOOK, max(1, begin // LOOK_SHARE)))
        while end < last and resampled(end / queries, k) == drawn:
            end += 1
        yield range(begin, end), drawn
        begin = end


@dataclass
class _State(OpenImages):
    """The images that are still searched for, flat, `(m, 3, h w)`.

    Attributes:
        keys: int64 `(m,)`.
        positions: of the pixels that a query may move, int64 `(m, k)`.
    """

    keys: Tensor
    positions: Tensor


def _first(problem: Problem, k: int) -> _State:
    """The first candidates: `start`, or random pixels in random corner colours."""
    import torch

    from roco.training.batches import to_unit

    positions, start, device = first_positions(problem, k), problem.start, problem.images.device
    if start is None:
        # The first draws are those of `first_positions`.
        random = bits(problem.keys, range(1), draws=problem.positions + k)[0, :, problem.positions :]
        start = changed(problem.images, positions, colours=corners(device)[below(random, 8)])
    clean, images, labels = to_unit(problem.images), to_unit(start), problem.labels
    rows, margins = torch.arange(len(images), device=device), problem.margins(images, labels)
    return _State(rows, labels, clean.flatten(2), images.flatten(2), margins, problem.keys, positions)


def _neighbours(images: Tensor) -> Tensor:
    """For each position those at most REACH rows and columns away, clipped at the edges, int64 `(h w, 25)`."""
    import torch

    height, width = images.shape[2:]
    step = torch.arange(-REACH, REACH + 1, device=images.device)
    row, column = (torch.arange(size, device=images.device)[:, None] + step for size in (height, width))
    rows, columns = row.clamp(0, height - 1), column.clamp(0, width - 1)
    return (rows[:, None, :, None] * width + columns[None, :, None, :]).reshape(height * width, -1)


@dataclass(frozen=True)
class _Move:
    """What happens to one pixel of each image, for each query of a block: `(q, m)`; for one query: `(m)`.

    Attributes:
        slot: which of the k pixels, int64 `(q, m, 1)`.
        is_slot: the same, bool `(q, m, k)`.
        recoloured: whether the pixel stays and changes its colour, bool.
        near: whether the pixel moves to a neighbour with its colour, bool.
        rank: otherwise, which of the free positions it moves to, int64.
        step: which neighbour it moves to, int64.
        flips: the channels of its new colour that are 1; if it is recoloured, those that flip; bool `(q, m, 3)`.
    """

    slot: Tensor
    is_slot: Tensor
    recoloured: Tensor
    near: Tensor
    rank: Tensor
    step: Tensor
    flips: Tensor

    def of(self, query: int) -> "_Move":
        """The move of one query."""
        return _Move(*(getattr(self, field.name)[query] for field in fields(self)))

    def made(self, clean: Tensor, images: Tensor, positions: Tensor, *, near: Tensor) -> tuple[Tensor, Tensor]:
        """Images `(m, 3, h w)` and positions `(m, k)` after the move, given the neighbours of each position."""
        import torch

        old = positions.gather(1, self.slot)
        index = old[:, None].expand(-1, 3, 1)
        old_colour, clean_colour = images.gather(2, index)[:, :, 0], clean.gather(2, index)[:, :, 0]
        old = old[:, 0]
        neighbour = near[old, self.step]
        blocked = (positions == neighbour[:, None]).any(dim=1)
        target = torch.where(self.near & ~blocked, neighbour, _free(positions, self.rank))
        new = torch.where(self.recoloured, old, target)
        flipped = ((old_colour > 0.5) & self.recoloured[:, None]) ^ self.flips
        colour = torch.where(self.near[:, None], old_colour, flipped.float())
        images = painted(painted(images, old, clean_colour), new, colour)
        return images, torch.where(self.is_slot, new[:, None], positions)


def _moves(keys: Tensor, queries: range, *, k: int, drawn: int, positions: int) -> list[_Move]:
    """The moves of a block of queries that draw `drawn` pixels each: one `_Move` per drawn pixel."""
    import torch

    random = bits(keys, queries, draws=k + DRAWS * drawn)
    slots, channel = random[:, :, :k].argsort(dim=2)[:, :, :drawn], torch.arange(3, device=keys.device)
    moves = []
    for number, slot in enumerate(slots.split(1, dim=2)):
        what, where, colour, step = random[:, :, k + DRAWS * number : k + DRAWS * (number + 1)].unbind(dim=2)
        # When several pixels are drawn, all of them move anywhere.
        kind = below(what, 4) if drawn == 1 else torch.zeros_like(what)
        recoloured = kind == RECOLOUR
        # A recoloured pixel must change: one to three of its channels flip.
        corner = torch.where(recoloured, 1 + below(colour, 7), below(colour, 8))
        flips = ((corner[:, :, None] >> channel) & 1).bool()
        is_slot = slot == torch.arange(k, device=keys.device)
        rank, step = below(where, positions - k), below(step, (2 * REACH + 1) ** 2)
        moves.append(_Move(slot, is_slot, recoloured, kind == NEAR, rank, step, flips))
    return moves


def _free(positions: Tensor, rank: Tensor) -> Tensor:
    """The position of each rank `(m,)` among those outside the sets `(m, k)`."""
    import torch

    # The number of free positions before the i-th smallest taken position is its value minus i.
    before = positions.sort(dim=1).values - torch.arange(positions.shape[1], device=positions.device)
    return rank + (before <= rank[:, None]).sum(dim=1)
