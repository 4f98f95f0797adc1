"""Whether networks that are robust after the standard training are so after adversarial training: rank correlations."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.both_ways import Ways, rank_correlations
from roco.report.measures.compare import metric_title
from roco.report.numbers.format import signed_interval, whole
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

HEADER = ("Accuracy on", "Rank correlation of both trainings", "Networks", "Seeds")


def make(study: Study, config: StudyConfig) -> Content:
    """Spearman's rank correlation over the retrained networks, for each metric."""
    ways = Ways.of(study, config)
    if ways is None:
        return Content(pd.DataFrame(), (HEADER,))
    numbers = rank_correlations(ways)
    cells = [
        (
            metric_title(row.metric),
            signed_interval(row.correlation, row.low, row.high),
            whole(row.networks),
            whole(row.seeds),
        )
        for row in rows_of(numbers)
    ]
    notes = (
        "Spearman's rank correlation over all retrained networks, each once a seed: +1, where adversarial training "
        "leaves their order as it is; 0, where the order after one training says nothing of that after the other. In "
        "parentheses the 95 % interval: the wider of one over seeds (bootstrap, Student's t) and Bonett and Wright's; "
        "no number for fewer than six networks, or where all have one accuracy. For exploration: no correction for the "
        "number of correlations.",
        "Fronts hold good networks only, and a narrow range weakens correlations, as the noise of a training does. "
        "Where one training leaves hardly any image right, the order of its networks is chance.",
    )
    return Content(numbers, (HEADER, *cells), notes)
