"""Makes dataset.h5 from the configured source."""

from roco.data.dataset import make_dataset
from roco.data.settings import DatasetConfig
from roco.runtime import job

if __name__ == "__main__":
    with job(snakemake):
        make_dataset(DatasetConfig(**snakemake.params.dataset)).save(snakemake.output.dataset)
