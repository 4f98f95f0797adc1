"""Writes the Pareto-optimal networks of a search's last population."""

from roco.runtime import job
from roco.search.records import Front, Population
from roco.search.survival import pareto_front

if __name__ == "__main__":
    with job(snakemake):
        where = {"search": snakemake.wildcards.search, "seed": int(snakemake.wildcards.seed)}
        population = Population.load(snakemake.input.population, where)
        Front(
            search=population.search,
            seed=population.seed,
            objectives=population.objectives,
            networks=tuple(pareto_front(population.individuals, population.objectives)),
            dataset_fingerprint=population.dataset_fingerprint,
        ).save(snakemake.output.front)
