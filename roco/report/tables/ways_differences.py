"""The differences between the searches at equal FLOPs after each training."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.both_ways import Ways, differences_both_ways
from roco.report.measures.compare import EQUAL_FLOPS, INTERPOLATED, metric_title
from roco.report.measures.differences import Difference, differences_in
from roco.report.numbers.format import NO_VALUE, percent_interval
from roco.report.read.collect import Study
from roco.report.tables.table import Content

COLUMNS = {
    (EQUAL_FLOPS, "standard"): "Equal FLOPs, standard",
    (EQUAL_FLOPS, "adversarial"): "Equal FLOPs, adversarial",
    (INTERPOLATED, "standard"): "Interpolated, standard",
    (INTERPOLATED, "adversarial"): "Interpolated, adversarial",
}


def make(study: Study, config: StudyConfig) -> Content:
    """What each search gains over the reference search within each training; the main table has the standard one."""
    ways = Ways.of(study, config)
    header = ("Search", "Against", "Accuracy on", *COLUMNS.values())
    if ways is None:
        return Content(pd.DataFrame(), (header,))
    numbers = differences_both_ways(ways)
    numbers = numbers[numbers["selection"].isin([EQUAL_FLOPS, INTERPOLATED])].reset_index(drop=True)
    cells = [header]
    for (search, reference, metric), rows in numbers.groupby(["search", "reference", "metric"], sort=False):
        found = differences_in(rows.drop(columns="way"))
        shown = {(row.selection, way): _shown(row) for row, way in zip(found, rows["way"], strict=True)}
        cells.append(
            (str(search), str(reference), metric_title(str(metric)), *(shown.get(key, NO_VALUE) for key in COLUMNS))
        )
    notes = (
        "Differences in points with 95 % intervals, within one training each: the pairs of networks of equal FLOPs, "
        "the interpolated fronts, the intervals and the stars are those of the main table of differences.",
        "What the main comparison measures is that of the standard training for both. After adversarial training it "
        "is one comparison of many, and none was named beforehand.",
    )
    return Content(numbers, tuple(cells), notes)


def _shown(row: Difference) -> str:
    return percent_interval(row.difference, row.low, row.high, sign=True) + ("*" if row.resolved else "")
