"""Lets parents and offspring compete: the next population."""

from roco.artifacts import read_json
from roco.runtime import job
from roco.search.population import Individual, PopulationFile
from roco.search.survival import truncate

if __name__ == "__main__":
    with job(snakemake):
        wildcards, objectives = snakemake.wildcards, tuple(snakemake.params.objectives)
        seed, generation = int(wildcards.seed), int(wildcards.generation)
        parents = [PopulationFile.load(path) for path in snakemake.input.parents]
        offspring = [
            Individual.from_record(record, born=generation)
            for path in snakemake.input.records
            for record in read_json(path, "evaluations")
        ]
        individuals = [individual for population in parents for individual in population.individuals] + offspring
        seen = {key for population in parents for key in population.seen} | {child.key for child in offspring}
        survivors = truncate(
            individuals, objectives, size=snakemake.params.population, seed=seed, generation=generation
        )
        PopulationFile(
            search=wildcards.search,
            seed=seed,
            generation=generation,
            objectives=objectives,
            individuals=tuple(survivors),
            seen=tuple(sorted(seen)),
        ).save(snakemake.output.population)
