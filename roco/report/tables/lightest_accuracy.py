"""What Tables III and IV share: the accuracy of the N lightest networks of each search."""

from collections.abc import Mapping

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import lightest, mean_accuracy
from roco.report.measures.measured import measurements, several
from roco.report.numbers.format import missing, percent, percent_interval
from roco.report.read.collect import PLACE, Study, records_of
from roco.report.tables.table import Content

ACCURACY_NUMBERS = ["search", "top", "seeds", "networks", "retrainings", "accuracy", "low", "high", "basis"]
ACCURACY_NUMBERS += ["paper_accuracy"]


def accuracy_of_lightest(
    study: Study, config: StudyConfig, metric: str, *, paper: Mapping[tuple[str, int], float], notes: tuple[str, ...]
) -> Content:
    """The mean accuracy of the N lightest networks of each search, with the paper's.

    Args:
        study: the study.
        config: its configuration.
        metric: what was measured.
        paper: the paper's accuracies by search and N.
        notes: on this metric.
    """
    numbers, tops = _numbers(study, config, metric, paper), config.report.top
    cells = [("Search", *(f"top-{count}" for count in tops))]
    for search in config.retrained_searches:
        of_search = records_of(numbers[numbers["search"] == search])
        cells.append((search, *(percent_interval(r["accuracy"], r["low"], r["high"]) for r in of_search)))
    for search in config.retrained_searches:
        published = numbers.loc[numbers["search"] == search, "paper_accuracy"].to_list()
        if not all(map(missing, published)):
            cells.append((f"{search}, paper", *(percent(value, digits=2) for value in published)))
    return Content(numbers, tuple(cells), (*_top_notes(numbers, study, config), *notes))


def _numbers(study: Study, config: StudyConfig, metric: str, paper: Mapping[tuple[str, int], float]) -> pd.DataFrame:
    measured = measurements(study)
    of_metric = measured[measured["metric"] == metric]
    rows = []
    for search in config.retrained_searches:
        for count in config.report.top:
            values = lightest(of_metric[of_metric["search"] == search], count)
            mean = mean_accuracy(values, search)
            size = (values["seed"].nunique(), len(values), int(values["retrainings"].sum()))
            published = paper.get((search, count))
            rows.append((search, count, *size, *mean.bounds, mean.basis, published))
    return pd.DataFrame(rows, columns=ACCURACY_NUMBERS)


def _top_notes(numbers: pd.DataFrame, study: Study, config: StudyConfig) -> list[str]:
    bases = sorted(set(numbers.loc[numbers["networks"] > 0, "basis"]))
    notes = [
        "top-N: mean over the N retrained networks with the fewest FLOPs of each search and seed, then over "
        f"{len(config.seeds)} seed{'s' if len(config.seeds) > 1 else ''}; in parentheses the 95 % interval over "
        f"{', or '.join(bases) if bases else 'nothing'}."
    ]
    if short := _short_fronts(study, config):
        notes.append(f"Fewer networks than N were retrained in {short}; all of them count.")
    notes += _retraining_notes(study, config)
    if config.dataset.name != "cifar10":
        notes.append(
            f"The paper's numbers are for CIFAR-10 and its full budget; this study is on {config.dataset.title}."
        )
    return notes


def _retraining_notes(study: Study, config: StudyConfig) -> list[str]:
    """The number of retrainings behind a network's value, and the number that failed; empty if neither matters."""
    notes, failed = [], study.networks[study.networks["status"] == "failed"]
    if several(config):
        notes.append(
            f"Each network was trained {len(config.retraining.seeds)} times with other seeds; its value is the mean."
        )
    trained = study.retrained[PLACE].assign(trained=True)
    left = failed.merge(trained, on=PLACE, how="left")["trained"].eq(True)
    if lost := len(failed[~left.to_numpy()].drop_duplicates(PLACE)):
        notes.append(f"{lost} network{'s' if lost > 1 else ''} failed in retraining or under attack and are left out.")
    if some := int(left.sum()):
        notes.append(
            f"{some} retraining{'s' if some > 1 else ''} failed of networks that count with their other retrainings."
        )
    return notes


def _short_fronts(study: Study, config: StudyConfig) -> str:
    retrained = study.retrained
    sizes = {
        (search, seed): int(((retrained["search"] == search) & (retrained["seed"] == seed)).sum())
        for search in config.retrained_searches
        for seed in config.seeds
    }
    largest = max(config.report.top)
    return ", ".join(f"{search} seed {seed} ({size})" for (search, seed), size in sizes.items() if size < largest)
