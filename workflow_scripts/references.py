"""Writes published networks in the form of a front, so that they are retrained and attacked like other networks."""

from roco.networks.spec import DecoderSettings
from roco.runtime import job
from roco.search.evaluation import dataset_shape
from roco.search.population import unevaluated
from roco.search.records import Front
from roco.space.settings import PUBLISHED_GENOMES
from roco.storage.artifacts import read_attributes

if __name__ == "__main__":
    with job(snakemake):
        params = snakemake.params
        image_size, classes = dataset_shape(snakemake.input.dataset)
        space = params.space
        decoder = DecoderSettings(channels=params.channels, stem_padding=space["stem_padding"], node=space["node"])
        genomes = [PUBLISHED_GENOMES.get(name, name) for name in params.references]
        specs = [decoder.spec(genome, classes=classes, image_size=image_size) for genome in genomes]
        Front(
            search="references",
            seed=int(snakemake.wildcards.seed),
            objectives=(),
            networks=tuple(map(unevaluated, specs)),
            dataset_fingerprint=read_attributes(snakemake.input.dataset, "dataset")["fingerprint"],
        ).save(snakemake.output.front)
