"""Black-box L0 attack on uint8 images by differential evolution, batched over images.

Images leave the batch when they are done; a result does not depend on which images are attacked beside it.
"""

import logging
from collections.abc import Sequence
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import Field

from roco.attacks.l0.attack import PixelAttack
from roco.attacks.l0.counter import below, bits
from roco.attacks.l0.pixels import Problem, changed, first_positions
from roco.attacks.norms import DECIDED
from roco.attacks.types import Tensor
from roco.settings import Count

log = logging.getLogger("roco")

DIFFERENTIAL_WEIGHT = 0.5
COLOURS = NormalDist(128, 127)
# First colours are drawn from so many quantiles of COLOURS: whole numbers, the same on every device.
QUANTILES = 4096


class DifferentialEvolution(PixelAttack):
    """L0 by differential evolution over (x, y, r, g, b) of k pixels (Su et al. 2019; Kotyan and Vargas 2022)."""

    method: Literal["differential_evolution"] = "differential_evolution"
    population: Annotated[int, Field(ge=4)] = 100
    steps: Count = 100

    def without_gradients(self) -> "DifferentialEvolution":
        """See `PixelAttack`: it uses none."""
        return self

    def perturb(self, problem: Problem) -> Tensor:
        """Differential evolution (DE/rand/1 without crossover) of an image's pixels, stopped when it is misclassified.

        Source: Su et al. 2019 (one pixel attack), Section III: F = 0.5; a child replaces its own parent; the first
        positions are uniform, the first colours normal. Differs from it: fitness is the margin, not the probability
        of the true class, which a confident network rounds to 0 or 1; genes are integers, as images are uint8.
        """
        import torch

        images, keys = problem.images, problem.keys
        parents = _first_genes(problem, (self.population, min(problem.n_pixels, problem.positions)))
        fitness = _fitness(problem, parents)
        for step in range(self.steps):
            active = (fitness.amax(dim=1) < DECIDED).nonzero()[:, 0]
            if not len(active):
                break
            if step % 20 == 0:
                log.info("differential evolution: step %d of %d, %d images", step, self.steps, len(active))
            children = _children(parents[active], keys[active], step + 2, size=images.shape[2:])
            child_fitness = _fitness(problem.only(active), children)
            better = child_fitness >= fitness[active]
            parents[active] = torch.where(better[:, :, None, None], children, parents[active])
            fitness[active] = torch.where(better, child_fitness, fitness[active])
        best = parents[torch.arange(len(images), device=images.device), fitness.argmax(dim=1)]
        return changed(images, _positions(best, images.shape[3]), colours=best[..., 2:].to(torch.uint8))


def _first_genes(problem: Problem, shape: tuple[int, int]) -> Tensor:
    """Genes int16 `(n, population, k, 5)`: uniform positions, normal colours; and first those of `start`."""
    import torch

    population, k = shape
    device, (height, width) = problem.images.device, problem.images.shape[2:]
    random = bits(problem.keys, range(1, 2), draws=population * k * 5).view(-1, population, k, 5)
    quantiles = [COLOURS.inv_cdf((number + 0.5) / QUANTILES) for number in range(QUANTILES)]
    colours = torch.tensor([min(max(round(value), 0), 255) for value in quantiles], device=device)
    genes = torch.cat([_uniform(random[..., :2], (height, width)), colours[below(random[..., 2:], QUANTILES)]], dim=-1)
    if problem.start is not None:
        positions = first_positions(problem, k)
        seen = problem.start.flatten(2).gather(2, positions[:, None].expand(-1, 3, -1)).transpose(1, 2)
        rows, columns = (positions // width)[..., None], (positions % width)[..., None]
        genes[:, 0] = torch.cat([rows, columns, seen], dim=-1)
    return genes.to(torch.int16)


def _uniform(random: Tensor, size: Sequence[int]) -> Tensor:
    """Rows and columns `(..., 2)` from random numbers of 64 bits."""
    import torch

    return below(random, torch.tensor(list(size), device=random.device))


def _children(parents: Tensor, keys: Tensor, step: int, *, size: Sequence[int]) -> Tensor:
    """One child for each parent: a + F (b - c) with three different others.

    Outside the bounds colours are clipped and positions drawn anew.
    """
    import torch

    n, count, k, _ = parents.shape
    random = bits(keys, range(step, step + 1), draws=count * (3 + 2 * k)).view(n, count, 3 + 2 * k)
    first, second, third = (
        parents.gather(1, index[:, :, None, None].expand_as(parents)) for index in _three_others(random[..., :3])
    )
    genes = (first + DIFFERENTIAL_WEIGHT * (second - third)).round().long()
    positions, fresh = genes[..., :2], _uniform(random[..., 3:].view(n, count, k, 2), size)
    inside = (positions >= 0) & (positions < torch.tensor(list(size), device=genes.device))
    positions = torch.where(inside, positions, fresh)
    return torch.cat([positions, genes[..., 2:].clamp(0, 255)], dim=-1).to(torch.int16)


def _three_others(random: Tensor) -> list[Tensor]:
    """For each parent three indices int64 `(n, count)`, different from each other and from its own.

    Args:
        random: numbers of 64 bits `(n, count, 3)`.
    """
    import torch

    count = random.shape[1]
    taken = [torch.arange(count, device=random.device).expand(random.shape[:2])]
    for number in range(3):
        index = below(random[..., number], count - 1 - number)
        # Skips the indices that are taken, smallest first, so that the draw is uniform over the others.
        for other in torch.stack(taken).sort(dim=0).values:
            index = index + (index >= other)
        taken.append(index)
    return taken[1:]


def _positions(genes: Tensor, width: int) -> Tensor:
    """Row-major positions int64 `(..., k)` of genes `(..., k, 5)`."""
    return genes[..., 0].long() * width + genes[..., 1]


def _fitness(problem: Problem, genes: Tensor) -> Tensor:
    """Margins `(n, population)` of the genes `(n, population, k, 5)`."""
    import torch

    colours = genes[..., 2:].to(torch.uint8)
    return problem.margins_with(_positions(genes, problem.images.shape[3]), colours)
