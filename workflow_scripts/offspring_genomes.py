"""Makes the offspring of a population."""

from roco.runtime import job
from roco.search.records import Population, write_genomes
from roco.search.settings import SearchConfig, SearchKind
from roco.search.variation import offspring_genomes
from roco.space.settings import SpaceConfig

if __name__ == "__main__":
    with job(snakemake):
        params, generation = snakemake.params, int(snakemake.wildcards.generation)
        made_for = {
            "search": snakemake.wildcards.search,
            "seed": int(snakemake.wildcards.seed),
            "generation": generation - 1,
        }
        population = Population.load(snakemake.input.parents[0], made_for)
        genomes = offspring_genomes(
            population.individuals,
            SearchKind(objectives=list(population.objectives), method=params.method),
            seen=population.seen,
            space=SpaceConfig(**params.space),
            search=SearchConfig(
                offspring=params.offspring,
                variation=params.variation,
                crossover_probability=params.crossover_probability,
            ),
            seed=population.seed,
            generation=generation,
        )
        write_genomes(
            snakemake.output.genomes,
            genomes,
            search=population.search,
            seed=population.seed,
            generation=generation,
        )
