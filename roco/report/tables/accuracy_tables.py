"""Tables III and IV, and the differences between the searches."""

from collections.abc import Mapping

import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.compare import (
    lightest,
    mean_accuracy,
)
from roco.report.page.paper import ADVERSARIAL_SET_ACCURACY, TEST_ACCURACY
from roco.report.read.collect import PLACE, Study, records_of
from roco.report.read.measured import ADVERSARIAL_SET, TEST, measurements, several
from roco.report.tables.setup_tables import makers_of_test_set
from roco.report.tables.table import Table, missing, percent, percent_interval

ACCURACY_NUMBERS = ["search", "top", "seeds", "networks", "retrainings", "accuracy", "low", "high", "basis"]
ACCURACY_NUMBERS += ["paper_accuracy"]


def adversarial_accuracy(study: Study, config: StudyConfig) -> Table:
    """Table III: accuracy on the adversarial test set of the N lightest networks of each search."""
    numbers = _of_lightest(study, config, ADVERSARIAL_SET, ADVERSARIAL_SET_ACCURACY)
    notes = (
        makers_of_test_set(config),
        "Not comparable with the paper: its adversarial images come from the test images that its search had used, and "
        "include images that were misclassified before any attack.",
        "Adversarial images made from one test image are no independent images: the interval counts them as one draw.",
    )
    return _accuracy_table(
        "table_3", "Table III. Accuracy on the adversarial test set, %", numbers, study, config, notes
    )


def clean_accuracy(study: Study, config: StudyConfig) -> Table:
    """Table IV: accuracy on the test images of the N lightest networks of each search."""
    numbers = _of_lightest(study, config, TEST, TEST_ACCURACY)
    notes = (
        "The paper kept the checkpoint that was best on the test images, which overstates its accuracy; "
        "here the last epoch is kept.",
    )
    return _accuracy_table("table_4", "Table IV. Accuracy on the test images, %", numbers, study, config, notes)


def _of_lightest(
    study: Study, config: StudyConfig, metric: str, paper: Mapping[tuple[str, int], float]
) -> pd.DataFrame:
    measured = measurements(study)
    of_metric = measured[measured["metric"] == metric]
    rows = []
    for search in config.retrained_searches:
        for count in config.report.top:
            values = lightest(of_metric[of_metric["search"] == search], count)
            found = mean_accuracy(values, search)
            size = (values["seed"].nunique(), len(values), int(values["retrainings"].sum()))
            published = paper.get((search, count))
            rows.append((search, count, *size, found.value, found.low, found.high, found.basis, published))
    return pd.DataFrame(rows, columns=ACCURACY_NUMBERS)


def _accuracy_table(
    name: str, title: str, numbers: pd.DataFrame, study: Study, config: StudyConfig, notes: tuple[str, ...]
) -> Table:
    tops = config.report.top
    cells = [("Search", *(f"top-{count}" for count in tops))]
    for search in config.retrained_searches:
        of_search = records_of(numbers[numbers["search"] == search])
        cells.append((search, *(percent_interval(r["accuracy"], r["low"], r["high"]) for r in of_search)))
    for search in config.retrained_searches:
        published = numbers.loc[numbers["search"] == search, "paper_accuracy"].to_list()
        if not all(map(missing, published)):
            cells.append((f"{search}, paper", *(percent(value, digits=2) for value in published)))
    return Table(name, title, numbers, tuple(cells), (*_top_notes(numbers, study, config), *notes))


def _top_notes(numbers: pd.DataFrame, study: Study, config: StudyConfig) -> list[str]:
    bases = sorted(set(numbers.loc[numbers["networks"] > 0, "basis"]))
    notes = [
        "top-N: mean over the N retrained networks with the fewest FLOPs of each search and seed, then over "
        f"{len(config.seeds)} seed{'s' if len(config.seeds) > 1 else ''}; in parentheses the 95 % interval over "
        f"{', or '.join(bases) if bases else 'nothing'}."
    ]
    if short := _short_fronts(study, config):
        notes.append(f"Fewer networks than N were retrained in {short}; all of them count.")
    notes += retraining_notes(study, config)
    if config.dataset.name != "cifar10":
        notes.append(
            f"The paper's numbers are for CIFAR-10 and its full budget; this study is on {config.dataset.title}."
        )
    return notes


def retraining_notes(study: Study, config: StudyConfig) -> list[str]:
    """How many retrainings stand behind a network's value, and which failed; no line where nothing is to be said."""
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
