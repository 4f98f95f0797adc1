"""The effect of adversarial training on the networks of each search: medians of both trainings."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.both_ways import Ways, both_ways
from roco.report.measures.compare import metric_title, searches_in
from roco.report.numbers.format import percent, whole
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

COLUMNS = ["search", "metric", "networks", "standard", "adversarial", "change"]


def make(study: Study, config: StudyConfig) -> Content:
    """Medians over the networks of a search, of all its seeds, and the median change of a network."""
    ways = Ways.of(study, config)
    header = ("Search", "Accuracy on", "Networks", "Standard training", "Adversarial training", "Change")
    measured = both_ways(ways)
    rows = []
    for search in searches_in(measured, config):
        for metric in ways.metrics:
            part = measured[(measured["search"] == search) & (measured["metric"] == metric)]
            if len(part):
                medians = (part["standard"], part["adversarial"], part["adversarial"] - part["standard"])
                rows.append((search, metric, len(part), *(float(values.median()) for values in medians)))
    numbers = pd.DataFrame(rows, columns=COLUMNS)
    cells = [
        (
            row.search,
            metric_title(row.metric),
            whole(row.networks),
            percent(row.standard),
            percent(row.adversarial),
            percent(row.change, sign=True),
        )
        for row in rows_of(numbers)
    ]
    return Content(numbers, (header, *cells), tuple(_notes(config)))


def _notes(config: StudyConfig) -> list[str]:
    adversarial = config.retraining.adversarial
    return [
        "Medians in %, over the networks of all seeds; change: the median over networks of what adversarial training "
        "adds, in points.",
        f"Adversarial training: {adversarial.in_words if adversarial else ''}. Everything else is as in the standard "
        "training, from the same initial weights and in the same order of images.",
        "Both trainings end with the weights of their last epoch. Robust accuracy on test images falls again late in "
        "adversarial training (robust overfitting, Rice et al. 2020); choosing an epoch on test images would hide it, "
        "and nothing here is chosen on them.",
        "The adversarial set was made from networks with standard training: accuracy on it says less about others.",
    ]
