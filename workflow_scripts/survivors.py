"""Selects the next population from parents and offspring."""

from roco.runtime import job
from roco.search.population import check_any_succeeded, individual_of
from roco.search.records import Population, evaluations_of_generation
from roco.search.survival import truncate

if __name__ == "__main__":
    with job(snakemake):
        wildcards, objectives = snakemake.wildcards, tuple(snakemake.params.objectives)
        seed, generation = int(wildcards.seed), int(wildcards.generation)
        search = {"search": wildcards.search, "seed": seed}
        genomes_of = search | {"generation": generation, "search": wildcards.search if generation else "initial"}
        evaluations = evaluations_of_generation(snakemake.input.records, snakemake.input.genomes, genomes_of)
        check_any_succeeded(evaluations, generation=generation)
        # There are no offspring if the space has no new network.
        shared = ("dataset_fingerprint", "settings_hash")
        origin = {name: getattr(evaluations[0], name) for name in shared} if evaluations else {}
        parents = [
            Population.load(path, search | origin | {"generation": generation - 1}) for path in snakemake.input.parents
        ]
        origin = origin or {name: getattr(parents[0], name) for name in shared}
        offspring = [individual_of(each, born=generation, objectives=objectives) for each in evaluations]
        individuals = [individual for population in parents for individual in population.individuals] + offspring
        seen = {key for population in parents for key in population.seen} | {child.key for child in offspring}
        survivors = truncate(
            individuals,
            objectives,
            size=snakemake.params.population,
            seed=seed,
            generation=generation,
            method=snakemake.params.method,
        )
        Population(
            search=wildcards.search,
            seed=seed,
            generation=generation,
            objectives=objectives,
            individuals=tuple(survivors),
            seen=tuple(sorted(seen)),
            **origin,
        ).save(snakemake.output.population)
