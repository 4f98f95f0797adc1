"""Black-box L0 attack on uint8 images by differential evolution, batched over images.

Each image has a generator of its own and leaves the batch when it is done, so that its result does not depend on which
images are attacked beside it.
"""

import logging
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from roco.attacks.l0.attack import PixelAttack
from roco.attacks.l0.pixels import Array, Problem, changes_of
from roco.attacks.norms import DECIDED
from roco.attacks.types import Tensor
from roco.settings import Count

log = logging.getLogger("roco")

DIFFERENTIAL_WEIGHT = 0.5
COLOUR_MEAN, COLOUR_SPREAD = 128, 127


class DifferentialEvolution(PixelAttack):
    """L0 by differential evolution over (x, y, r, g, b) of k pixels (Su et al. 2019; Kotyan and Vargas 2022)."""

    method: Literal["differential_evolution"] = "differential_evolution"
    population: Annotated[int, Field(ge=4)] = 100
    steps: Count = 100

    def perturb(self, problem: Problem) -> Tensor:
        """Differential evolution (DE/rand/1 without crossover) of an image's pixels, stopped when it is misclassified.

        Source: Su et al. 2019 (one pixel attack), Section III: F = 0.5, a child replaces its own parent, uniform
        positions and normally distributed colours at first. Differs from it: fitness is the margin and not the
        probability of the true class, which is 0 or 1 to float32 for a sure network; genes are whole numbers, as images
        are stored in uint8.
        """
        images, k = problem.images, min(problem.n_pixels, problem.positions)
        sizes = np.array([images.shape[2], images.shape[3], 256, 256, 256])
        parents = np.stack([_first_genes(g, sizes, shape=(self.population, k)) for g in problem.generators])
        if problem.start is not None:
            for row, generator in enumerate(problem.generators):
                positions, colours = changes_of(images[row], problem.start[row], n_pixels=k, generator=generator)
                parents[row, 0] = np.column_stack([positions // sizes[1], positions % sizes[1], colours])
        fitness = _fitness(problem, np.arange(len(images)), parents)
        for step in range(self.steps):
            active = np.flatnonzero(fitness.max(axis=1) < DECIDED)
            if not len(active):
                break
            if step % 20 == 0:
                log.info("differential evolution: step %d of %d, %d images", step, self.steps, len(active))
            children = np.stack([_children(parents[row], sizes, problem.generators[row]) for row in active])
            child_fitness = _fitness(problem, active, children)
            better = child_fitness >= fitness[active]
            parents[active] = np.where(better[:, :, None, None], children, parents[active])
            fitness[active] = np.where(better, child_fitness, fitness[active])
        rows = np.arange(len(images))
        best = parents[rows, fitness.argmax(axis=1)]
        return problem.changed(rows, _positions(best, sizes), colours=best[..., 2:].astype(np.uint8))


def _first_genes(generator: np.random.Generator, sizes: Array, *, shape: tuple[int, int]) -> Array:
    """Genes int16 `(population, k, 5)`: uniform positions, normal colours."""
    positions = generator.integers(0, sizes[:2], (*shape, 2))
    colours = np.rint(generator.normal(COLOUR_MEAN, COLOUR_SPREAD, (*shape, 3))).clip(0, 255)
    return np.concatenate([positions, colours], axis=-1).astype(np.int16)


def _children(parents: Array, sizes: Array, generator: np.random.Generator) -> Array:
    """One child for each parent: a + F (b - c) with three different others.

    Outside the bounds colours are clipped and positions drawn anew.
    """
    count = len(parents)
    first, second, third = _three_others(count, generator)
    moved = parents[first] + DIFFERENTIAL_WEIGHT * (parents[second] - parents[third])
    genes = np.rint(moved).astype(np.int16)
    fresh = generator.integers(0, sizes[:2], (count, parents.shape[1], 2))
    inside = (genes[..., :2] >= 0) & (genes[..., :2] < sizes[:2])
    positions = np.where(inside, genes[..., :2], fresh)
    return np.concatenate([positions, genes[..., 2:].clip(0, 255)], axis=-1).astype(np.int16)


def _three_others(count: int, generator: np.random.Generator) -> list[Array]:
    """For each of `count` parents three indices, different from each other and from its own."""
    taken = [np.arange(count)]
    for number in range(3):
        index = generator.integers(0, count - 1 - number, count)
        # Skips the indices that are taken, smallest first, so that the draw is uniform over the others.
        for other in np.sort(np.stack(taken), axis=0):
            index = index + (index >= other)
        taken.append(index)
    return taken[1:]


def _positions(genes: Array, sizes: Array) -> Array:
    """Row-major positions int64 `(..., k)` of genes `(..., k, 5)`."""
    positions: Array = genes[..., 0].astype(np.int64) * int(sizes[1]) + genes[..., 1]
    return positions


def _fitness(problem: Problem, rows: Array, genes: Array) -> Array:
    """Margins `(m, population)` of the genes `(m, population, k, 5)` of the images `rows`."""
    count, population, k, _ = genes.shape
    flat = genes.reshape(count * population, k, 5)
    sizes = np.array(problem.images.shape[2:])
    margins = problem.margins(
        np.repeat(rows, population), _positions(flat, sizes), colours=flat[..., 2:].astype(np.uint8)
    )
    return margins.reshape(count, population)
