"""Accuracy against radius, one column per radius."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import searches_in
from roco.report.measures.curves import accuracy_curves
from roco.report.measures.measured import of_means, several
from roco.report.numbers.format import NO_VALUE, percent_interval, whole
from roco.report.read.collect import Study
from roco.report.tables.table import Content


def _counts(numbers: pd.DataFrame) -> str:
    return " or ".join(map(whole, sorted(set(numbers["images"])))) or "the"


def make(study: Study, config: StudyConfig) -> Content:
    """Accuracy against radius of each search, one column per radius."""
    numbers = accuracy_curves(study, config)
    radii = sorted(numbers["radius"].unique())
    cells = [("Search", *("clean" if radius == 0 else f"{radius:g}/255" for radius in radii), "Networks")]
    again = several(config)
    cells = [(*cells[0], "Retrainings")] if again else cells
    for search in searches_in(numbers, config):
        of_search = numbers[numbers["search"] == search].set_index("radius")
        by_radius = {radius: of_search.loc[radius, ["accuracy", "low", "high"]] for radius in of_search.index}
        shown = [percent_interval(*by_radius[radius]) if radius in by_radius else NO_VALUE for radius in radii]
        behind = [str(int(of_search[name].max())) for name in ("networks", *(["retrainings"] if again else []))]
        cells.append((search, *shown, *behind))
    notes = (
        f"The share of {_counts(numbers)} attacked test images, in %, that no attack of this study fools within an L∞ "
        "radius: the worst case for each image. Mean over the networks of a search; the 95 % interval is over "
        f"{of_means(config)}.",
        "No network was trained to resist attacks; at 8/255 such networks usually have nothing left.",
    )
    return Content(numbers, tuple(cells), notes)
