"""The networks that lived through most generations."""

from roco.config import StudyConfig
from roco.report.measures.searched import searched_networks
from roco.report.numbers.format import whole
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

SURVIVORS = ["search", "seed", "key", "genome", "generation", "last", "generations", "fronts", "front"]
_SHOWN = 20


def make(study: Study, config: StudyConfig) -> Content:
    """The networks that lived through most generations of each search, and in how many fronts they are."""
    networks = searched_networks(study)
    alive = networks[networks["last"].notna()]
    fronts = study.fronts.groupby("key").size()
    numbers = alive.assign(
        generations=(alive["last"] - alive["generation"] + 1).astype("Int64"),
        fronts=[int(fronts.get(key, 0)) for key in alive["key"]],
    )[SURVIVORS]
    order = ["generations", "fronts", "search", "seed", "key"]
    numbers = numbers.sort_values(order, ascending=[False, False, True, True, True], kind="stable", ignore_index=True)
    cells = [("Search", "Seed", "Network", "First generation", "Last", "Generations", "Final front", "Fronts in all")]
    for row in rows_of(numbers.head(_SHOWN)):
        span = (whole(row.generation), whole(row.last), whole(row.generations))
        cells.append(
            (str(row.search), str(row.seed), str(row.key), *span, "yes" if row.front else "no", whole(row.fronts))
        )
    notes = (
        f"The {_SHOWN} longest-lived of {len(numbers)} networks that were among the survivors of a generation; the CSV "
        "file holds all. Fronts in all: in how many final fronts (of searches and seeds) the network is.",
    )
    return Content(numbers, tuple(cells), notes)
