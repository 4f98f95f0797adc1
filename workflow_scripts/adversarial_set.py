"""Joins the adversarial images of a split into one file."""

from pathlib import Path

from roco.attacks.sets import Cell, join_cells
from roco.runtime import job
from roco.storage.artifacts import check_provenance

if __name__ == "__main__":
    with job(snakemake):
        cells = [Cell.load(path) for path in snakemake.input.cells]
        for path, cell in zip(snakemake.input.cells, cells, strict=True):
            # .../{split}/{target}/{norm}_{threshold}.h5
            made_for = {"split": snakemake.wildcards.split, "target": Path(path).parent.name}
            check_provenance(path, vars(cell), made_for)
            check_provenance(path, {"cell": f"{cell.norm}_{cell.threshold}"}, {"cell": Path(path).stem})
        join_cells(cells).save(snakemake.output.adversarial)
