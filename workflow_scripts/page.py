"""Writes the study's page with its tables and figures."""

from pathlib import Path

from roco.config import check_config
from roco.report.page.page import origin_of, write_page
from roco.report.read.collect import StudyFiles, collect
from roco.runtime import job

if __name__ == "__main__":
    with job(snakemake):
        files = StudyFiles.from_names(snakemake.input)
        write_page(
            collect(files),
            check_config(snakemake.params.config),
            snakemake.output.page,
            figures=Path(snakemake.input.figures[0]).parent,
            tables=Path(snakemake.input.tables[0]).parent,
            origin=origin_of(
                snakemake.input.dataset,
                beside=files.adversarial_sets,
                benchmarks=Path(snakemake.output.page).parent / "benchmarks",
            ),
        )
