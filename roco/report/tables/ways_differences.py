"""The differences between the searches at equal FLOPs after each training."""

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
    """What each search gains over the reference search within each training."""
    header = ("Search", "Against", "Accuracy on", *COLUMNS.values())
    numbers = differences_both_ways(Ways.of(study, config))
    numbers = numbers[numbers["selection"].isin([EQUAL_FLOPS, INTERPOLATED])].reset_index(drop=True)
    cells = [header]
    for (search, reference, metric), rows in numbers.groupby(["search", "reference", "metric"], sort=False):
        pairs = zip(differences_in(rows.drop(columns="way")), rows["way"], strict=True)
        shown = {(row.selection, way): _shown(row) for row, way in pairs}
        cells.append(
            (str(search), str(reference), metric_title(str(metric)), *(shown.get(key, NO_VALUE) for key in COLUMNS))
        )
    notes = (
        "Differences in points with 95 % intervals, within each training; pairs at equal FLOPs, interpolated fronts, "
        "intervals and stars as in the main table of differences.",
        "Both trainings are compared by what the main comparison of the standard training measures. After adversarial "
        "training it is one comparison of many, and none was named beforehand.",
    )
    return Content(numbers, tuple(cells), notes)


def _shown(row: Difference) -> str:
    return percent_interval(row.difference, row.low, row.high, sign=True) + ("*" if row.resolved else "")
