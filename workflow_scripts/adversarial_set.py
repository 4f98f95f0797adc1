"""Joins the adversarial images of a split into one file."""

from roco.attacks.cell import Cell
from roco.attacks.sets import join_cells
from roco.runtime import job

if __name__ == "__main__":
    with job(snakemake):
        join_cells([Cell.load(path) for path in snakemake.input.cells]).save(snakemake.output.adversarial)
