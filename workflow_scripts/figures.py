"""Writes the study's figures as SVG and PNG, and the numbers behind each as CSV."""

from pathlib import Path

from roco.config import check_config
from roco.report.figures import write_figures
from roco.report.read.collect import StudyFiles, collect
from roco.runtime import job

if __name__ == "__main__":
    with job(snakemake):
        files = StudyFiles.from_names(snakemake.input)
        config = check_config(snakemake.params.config)
        write_figures(collect(files), config, Path(snakemake.output[0]).parent)
