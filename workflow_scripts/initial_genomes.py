"""Draws the first population, which all searches of a seed share."""

from roco.runtime import job
from roco.search.records import write_genomes
from roco.search.settings import SearchConfig
from roco.search.variation import initial_genomes
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES, SpaceConfig

if __name__ == "__main__":
    with job(snakemake):
        params, seed = snakemake.params, int(snakemake.wildcards.seed)
        space = SpaceConfig(**params.space)
        named = [
            Genome.parse(PUBLISHED_GENOMES.get(name, name), phases=space.phases, nodes=space.nodes)
            for name in params.named
        ]
        search = SearchConfig(population=params.population, population_0_density=params.density)
        genomes = initial_genomes(space, search, named=named, seed=seed)
        write_genomes(snakemake.output.genomes, genomes, search="initial", seed=seed, generation=0)
