"""Studies that are made up, effect by effect, so that what is true of their searches and networks is known exactly."""

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

# How far images differ, in standard deviations of the luck: two networks' marks correlate with 0.47.
IMAGES = 1.43
# One point of accuracy on that scale, where half of the images are right.
POINT = 0.01 * math.sqrt(1 + IMAGES**2) * math.sqrt(2 * math.pi)


@dataclass(frozen=True)
class Made:
    """How studies are made up. Effects are standard deviations, in points of accuracy.

    Attributes:
        networks: of each search and seed; 0: from 1 to 8, by chance.
        retrainings: of each network; 0: from 1 to 3, by chance.
        images: that all see.
        sources: that they come from; 0: each is its own.
        shared: effect of a seed on both searches.
        seed: of a seed on one search.
        network: of a network.
        retraining: of a training.
        tastes: of an image on one search alone.
        gain: how much better the first search is, in points.
        level: of accuracy, in points from a half.
    """

    networks: int = 5
    retrainings: int = 1
    images: int = 200
    sources: int = 0
    shared: float = 2.0
    seed: float = 2.0
    network: float = 2.0
    retraining: float = 2.0
    tastes: float = 0.0
    gain: float = 0.0
    level: float = 0.0


@dataclass
class Studied:
    """A made-up study: for each search and seed its networks, `(retrainings, clusters)`, and what is true of them.

    Attributes:
        networks: by search and seed.
        sizes: images of each cluster.
        truth: accuracy of each search.
        of_seed: accuracy of each search's seeds.
        of_network: accuracy of each of their networks.
        of_training: accuracy of each network's first training.
    """

    networks: list[list[list[np.ndarray]]]
    sizes: np.ndarray
    truth: list[float]
    of_seed: list[list[float]] = field(default_factory=list)
    of_network: list[list[list[float]]] = field(default_factory=list)
    of_training: list[list[list[float]]] = field(default_factory=list)


def _share(mean: float, *effects: float) -> float:
    """The share of images that are right, by a mean and the effects that are not known, both in units of luck."""
    return NormalDist().cdf(mean / math.sqrt(1 + sum(effect**2 for effect in effects)))


def study(made: Made, seeds: int, generator: np.random.Generator) -> Studied:
    """Makes a study up."""
    images, sizes, order = _images(made, generator)
    shared, seed, network, retraining, tastes = (
        POINT * effect for effect in (made.shared, made.seed, made.network, made.retraining, made.tastes)
    )
    of_both = generator.normal(0, shared, seeds)
    found = Studied([], sizes, [])
    for gain in (made.gain, 0.0):
        level = POINT * (made.level + gain)
        known = images + generator.normal(0, tastes, len(images)) if tastes else images
        found.truth.append(_share(level, IMAGES, shared, seed, network, retraining, tastes))
        rows: list[list[np.ndarray]] = []
        truths: list[list[list[float]]] = [[], [], []]
        for place in range(seeds):
            of_seed = level + of_both[place] + generator.normal(0, seed)
            truths[0].append([_share(of_seed, IMAGES, network, retraining, tastes)])
            networks, of_networks, of_trainings = [], [], []
            for _ in range(made.networks or int(generator.integers(1, 9))):
                of_network = of_seed + generator.normal(0, network)
                trained = of_network + generator.normal(0, retraining, made.retrainings or generator.integers(1, 4))
                of_networks.append(_share(of_network, IMAGES, retraining, tastes))
                of_trainings.append(_share(trained[0], IMAGES, tastes))
                luck = generator.standard_normal((len(trained), len(images)), dtype=np.float32)
                networks.append(np.add.reduceat(trained[:, None] + known + luck > 0, order, axis=1, dtype=np.float64))
            rows.append(networks)
            truths[1].append(of_networks)
            truths[2].append(of_trainings)
        found.networks.append(rows)
        found.of_seed.append([one[0] for one in truths[0]])
        found.of_network.append(truths[1])
        found.of_training.append(truths[2])
    return found


def _images(made: Made, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects of the images, in the order of their clusters; the clusters' sizes; where each begins."""
    if not made.sources:
        return generator.normal(0, IMAGES, made.images), np.ones(made.images), np.arange(made.images)
    extra = generator.integers(made.sources, size=made.images - made.sources)
    sizes = 1 + np.bincount(extra, minlength=made.sources)
    # Nine tenths of the standard deviation belong to the source.
    sources = np.repeat(generator.normal(0, 0.9 * IMAGES, made.sources), sizes)
    own = generator.normal(0, math.sqrt(1 - 0.81) * IMAGES, made.images)
    return sources + own, sizes.astype(np.float64), np.concatenate([[0], np.cumsum(sizes)[:-1]])
