"""Random genomes and their networks, for the tests of stacks."""

import random
from collections.abc import Sequence

import torch

from roco.networks.decoder import GenomeNetwork
from roco.space.complexity import NodeKind
from roco.space.genome import Genome

KINDS: tuple[NodeKind, ...] = ("residual", "preactivation", "dense")


def random_genomes(count: int, *, active: int, nodes: int = 6, seed: int = 0) -> list[Genome]:
    """Genomes of three phases of which so many are active, from nearly empty to nearly full ones."""
    generator = random.Random(seed)
    genomes: list[Genome] = []
    length = nodes * (nodes - 1) // 2 + 1
    while len(genomes) < count:
        density = generator.choice([0.15, 0.5, 0.9])
        phases = ["".join("01"[generator.random() < density] for _ in range(length)) for _ in range(active)]
        phases += ["0" * length] * (3 - active)
        generator.shuffle(phases)
        genome = Genome.parse("-".join(phases))
        if len(genome.phenotype.phases) == active:
            genomes.append(genome)
    return genomes


def networks_of(genomes: Sequence[Genome], *, channels: int = 4, node: NodeKind = "residual") -> list[GenomeNetwork]:
    """Their networks, each with weights of its own seed."""
    networks = []
    with torch.random.fork_rng():
        for seed, genome in enumerate(genomes):
            torch.manual_seed(seed)
            network = GenomeNetwork(
                genome.phenotype,
                channels=channels,
                classes=3,
                stem_padding=0,
                mean=[0.4, 0.5, 0.6],
                std=[0.2, 0.25, 0.3],
                node=node,
            )
            networks.append(network.train())
    return networks
