"""Writes the Pareto-optimal networks of a search's last population."""

from roco.runtime import job
from roco.search.population import PopulationFile, write_front
from roco.search.survival import pareto_front

if __name__ == "__main__":
    with job(snakemake):
        where = {"search": snakemake.wildcards.search, "seed": int(snakemake.wildcards.seed)}
        population = PopulationFile.load(snakemake.input.population, where)
        networks = pareto_front(population.individuals, population.objectives)
        write_front(
            snakemake.output.front,
            networks,
            search=population.search,
            seed=population.seed,
            objectives=population.objectives,
            dataset_fingerprint=population.dataset_fingerprint,
        )
