"""Writes the study's tables as CSV, Markdown and LaTeX."""

from pathlib import Path

from roco.config import check_config
from roco.report.read.collect import StudyFiles, collect
from roco.report.tables import write_tables
from roco.runtime import job

if __name__ == "__main__":
    with job(snakemake):
        files = StudyFiles.from_names(snakemake.input)
        config = check_config(snakemake.params.config)
        write_tables(collect(files), config, Path(snakemake.output[0]).parent)
