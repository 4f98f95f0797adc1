"""Genomes for the measurements of `roco plan`, before a study has any."""

from roco.config import Part, StudyConfig
from roco.networks.spec import GenomeSpec
from roco.runtime import numpy_generator
from roco.space.genome import Genome
from roco.study.images import Images

# A typical genome has a rank by FLOPs among so many random ones.
TYPICAL_GENOMES = 9


def typical_genomes(
    config: StudyConfig, images: Images, count: int, *, rank: int = TYPICAL_GENOMES // 2
) -> list[Genome]:
    """Random genomes as in a first population: first that of a rank by FLOPs, then others for the same stack."""
    generator = numpy_generator(0, "typical genome")
    shape = {"phases": config.space.phases, "nodes": config.space.nodes}

    def drawn() -> Genome:
        return Genome.random(generator, **shape, density=config.search.population_0_density)

    def flops(genome: Genome) -> int:
        return spec_of(config, genome, images, "evaluation").cost.flops

    chosen = [sorted((drawn() for _ in range(TYPICAL_GENOMES)), key=flops)[rank]]
    while len(chosen) < count:
        genome = drawn()
        chosen += [genome] if len(genome.phenotype.phases) == len(chosen[0].phenotype.phases) else []
    return chosen


def spec_of(config: StudyConfig, genome: Genome, images: Images, part: Part) -> GenomeSpec:
    """A genome's network in the search or in retraining."""
    return config.decoder_of(part).spec(genome, classes=images.classes, image_size=images.size)
