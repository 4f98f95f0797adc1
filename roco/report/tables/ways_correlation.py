"""Whether networks keep their order of robustness from standard to adversarial training: rank correlations."""

from roco.config import StudyConfig
from roco.report.measures.both_ways import Ways, rank_correlations
from roco.report.measures.compare import metric_title
from roco.report.numbers.format import signed_interval, whole
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

HEADER = ("Accuracy on", "Rank correlation of both trainings", "Networks", "Seeds")


def make(study: Study, config: StudyConfig) -> Content:
    """Spearman's rank correlation over the retrained networks, for each metric."""
    numbers = rank_correlations(Ways.of(study, config))
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
        "Spearman's rank correlation over all retrained networks, each once per seed: +1 if adversarial training keeps "
        "their order; 0 if the order after one training says nothing about the other. In parentheses the 95 % "
        "interval: the wider of the interval over seeds (bootstrap, Student's t) and Bonett and Wright's; no number "
        "for fewer than six networks, or if all have the same accuracy. For exploration: no correction for the number "
        "of correlations.",
        "Fronts have good networks only, and a narrow range weakens correlations, as the noise of a training does. If "
        "a training leaves hardly any image right, the order of its networks is chance.",
    )
    return Content(numbers, (HEADER, *cells), notes)
