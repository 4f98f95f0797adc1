"""Writes published networks in the form of a front, so that they are retrained and attacked like the others."""

from roco.runtime import job
from roco.search.evaluation import dataset_shape
from roco.search.population import unevaluated, write_front
from roco.space.genome import Genome
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_attributes

if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        image_size, classes = dataset_shape(snakemake.input.dataset)
        networks = [
            unevaluated(
                Genome.parse(PUBLISHED_GENOMES.get(name, name)),
                channels=params.channels,
                classes=classes,
                stem_padding=params.space["stem_padding"],
                image_size=image_size,
                node=params.space["node"],
            )
            for name in params.references
        ]
        write_front(
            snakemake.output.front,
            networks,
            search="references",
            seed=int(snakemake.wildcards.seed),
            objectives=(),
            dataset_fingerprint=read_attributes(snakemake.input.dataset, "dataset")["fingerprint"],
        )
