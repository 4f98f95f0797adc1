"""A row for each search: the networks it evaluated, and the growth of its hypervolume."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.format import NO_VALUE, whole
from roco.report.read.collect import INITIAL, Study
from roco.report.tables.table import Content
from roco.search.hypervolume import VOLUME_OBJECTIVES, hypervolumes

SEARCHES = ["search", "seed", "method", "objectives", "evaluated", "failed", "front"]
SEARCHES += ["hypervolume_first", "hypervolume_last"]


def make(study: Study, config: StudyConfig) -> Content:
    """What each search did: networks evaluated, failed, in the front, and its hypervolume at the start and the end."""
    volumes = hypervolumes(study.populations, VOLUME_OBJECTIVES)
    rows = []
    for name, kind in config.search.searches.items():
        for seed in config.seeds:
            of_seed = study.evaluations[study.evaluations["seed"] == seed]
            seen = of_seed[of_seed["search"].isin([name, INITIAL])].drop_duplicates("key")
            failed = int((seen["status"] == "failed").sum())
            front = int(((study.fronts["search"] == name) & (study.fronts["seed"] == seed)).sum())
            course = volumes[(volumes["search"] == name) & (volumes["seed"] == seed)]["hypervolume"].to_list()
            ends = (course[0], course[-1]) if course else (None, None)
            rows.append((name, seed, kind.method, " ".join(kind.objectives), len(seen), failed, front, *ends))
    numbers = pd.DataFrame(rows, columns=SEARCHES)
    counts = ("Evaluated", "Failed", "In the front", "Hypervolume, first", "Hypervolume, last")
    cells = [("Search", "Seed", "Method", "Objectives", *counts)]
    for row in rows:
        share = tuple(NO_VALUE if value is None else f"{value:.4f}" for value in row[7:])
        cells.append((row[0], str(row[1]), row[2], row[3].replace(" ", ", "), *map(whole, row[4:7]), *share))
    notes = (
        "Evaluated: different networks, with the first population, which all searches of a seed share.",
        f"Hypervolume in {', '.join(VOLUME_OBJECTIVES)}, each scaled to the range of all searches together, with the "
        "reference point at 1.1 in each, as a share of the box (larger is better); the same objectives for every "
        "search, whatever it minimised.",
    )
    return Content(numbers, tuple(cells), notes)
