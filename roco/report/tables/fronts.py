"""The non-dominated networks of each search's last population."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.format import NO_VALUE, millions, percent
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """The non-dominated networks of each search's last population, as the search saw them."""
    numbers = study.fronts[
        ["search", "seed", "position", "key", "genome", "error", "adversarial_error", "flops", "parameters"]
    ]
    values = [further or {} for further in study.fronts["further"]]
    others = list(dict.fromkeys(name for further in values for name in further))
    for name in others:
        numbers = numbers.assign(**{name: pd.Series([further.get(name) for further in values], dtype="float64")})
    header = ("Search", "Seed", "Network", "Genome", "Error, %", "Adversarial error, %", "FLOPs, M", "Parameters, M")
    cells = [(*header, *others)]
    for row, further in zip(rows_of(numbers), values, strict=True):
        errors = (percent(row.error), percent(row.adversarial_error))
        cost = (millions(row.flops), millions(row.parameters, digits=3))
        shown = [f"{further[name]:.4g}" if name in further else NO_VALUE for name in others]
        cells.append((str(row.search), str(row.seed), str(row.key), str(row.genome), *errors, *cost, *shown))
    notes = (
        f"Errors on validation images after {config.evaluation.training.epochs} epochs at "
        f"{config.width_in_words('evaluation')}; the adversarial error is on the validation set that the "
        "search used. By rising FLOPs.",
    )
    return Content(numbers, tuple(cells), notes)
