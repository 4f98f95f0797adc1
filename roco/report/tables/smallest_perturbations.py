"""The median smallest perturbation that any attack found."""

from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import searches_in
from roco.report.measures.measured import drawn_anew, of_means, several
from roco.report.numbers.format import NO_VALUE
from roco.report.numbers.perturbation_statistics import mean_of_medians
from roco.report.numbers.statistics import Interval
from roco.report.read.collect import PLACE, Study, rows_of
from roco.report.tables.table import Content

SMALLEST = ["search", "seed", "slot", "key", "norm", "median", "low", "high", "basis", "networks", "images", "unbroken"]
SMALLEST += ["retrainings"]
NORMS = {"l2": "L₂", "linf": "L∞, 1/255"}


def make(study: Study, config: StudyConfig) -> Content:
    """The median smallest perturbation of each search's networks, and of each network."""
    rows: list[tuple[Any, ...]] = []
    for search in searches_in(study.perturbations, config):
        of_search = study.perturbations[study.perturbations["search"] == search]
        for norm in NORMS:
            rows.append((search, None, None, None, norm, *_smallest(of_search[of_search["norm"] == norm], search)))
    for _, part in study.perturbations.groupby([*PLACE, "norm"], sort=False):
        row = rows_of(part)[0]
        rows.append((row.search, row.seed, row.slot, row.key, row.norm, *_smallest(part, f"{row.search} {row.key}")))
    numbers = pd.DataFrame(rows, columns=SMALLEST)
    again = ["Retrainings"] if several(config) else []
    cells = [("Search", "Seed", "Network", *NORMS.values(), "Unbroken", *again)]
    networks = list(dict.fromkeys((row[0], row[1], row[2], row[3]) for row in rows))
    for network in networks:
        shown = {row[4]: row for row in rows if row[:4] == network}
        search, seed, _, key = network
        name = "mean of all" if key is None else str(key)
        values = [_length(*shown[norm][5:8], scale=255 if norm == "linf" else 1) for norm in NORMS]
        unbroken = str(max(row[11] for row in shown.values()))
        trained = [str(max(row[12] for row in shown.values()))] if again else []
        cells.append((search, "" if seed is None else str(seed), name, *values, unbroken, *trained))
    most = max((row[10] for row in rows), default=0)
    notes = (
        f"The median over the attacked test images that were right to begin with ({most} at most) of the smallest "
        "perturbation that any attack of this study found, with 95 % intervals over "
        f"{drawn_anew(config)}; for all networks of a search the mean of their medians, whose interval is over "
        f"{of_means(config)}. Upper bounds: attacks may come nearer."
        + (" A network's median is the mean of those of its retrainings." if again else ""),
        "L₂ is the length of the change in [0, 1] units over all pixels. Unbroken: images for which no attack "
        "succeeded; they count as infinitely far." + (" Counted for each retraining." if again else ""),
    )
    return Content(numbers, tuple(cells), notes)


def _smallest(part: pd.DataFrame, purpose: str) -> tuple[Any, ...]:
    groups = [
        [
            # Without images that were wrong from the start, whose distance is 0.
            [
                np.array([distance for distance in distances if distance], dtype=np.float64)
                for distances in network["distances"]
            ]
            for _, network in of_seed.groupby("slot")
        ]
        for _, of_seed in part.groupby("seed")
    ]
    everything = [distances for group in groups for network in group for distances in network]
    norm = str(part["norm"].iloc[0]) if len(part) else ""
    interval: Interval = mean_of_medians(groups, purpose=f"{purpose} {norm}")
    images = max(map(len, everything), default=0)
    unbroken = sum(int(np.isinf(distances).sum()) for distances in everything)
    return (*interval.bounds, interval.basis, sum(map(len, groups)), images, unbroken, len(part))


def _length(value: float, low: float, high: float, *, scale: float) -> str:
    if np.isnan(value):
        return NO_VALUE
    texts = [f"{scale * length:.3g}" if np.isfinite(length) else "∞" for length in (value, low, high)]
    return f"{texts[0]} ({texts[1]}–{texts[2]})"
