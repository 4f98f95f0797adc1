"""Tables III and IV, and the differences between the searches."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.collect import PLACE, Study, records_of, rows_of
from roco.report.compare import (
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    differences,
    lightest,
    mean_accuracy,
    metric_title,
)
from roco.report.measured import ADVERSARIAL_SET, TEST, drawn_anew, measurements, several
from roco.report.paper import ADVERSARIAL_SET_ACCURACY, TEST_ACCURACY
from roco.report.setup_tables import makers_of_test_set
from roco.report.table import MINUS, NO_VALUE, Table, missing, percent, percent_interval

ACCURACY_NUMBERS = ["search", "top", "seeds", "networks", "retrainings", "accuracy", "low", "high", "basis"]
ACCURACY_NUMBERS += ["paper_accuracy"]


def adversarial_accuracy(study: Study, config: StudyConfig) -> Table:
    """Table III: accuracy on the adversarial test set of the N lightest networks of each search."""
    numbers = _of_lightest(study, config, ADVERSARIAL_SET, ADVERSARIAL_SET_ACCURACY)
    notes = (
        makers_of_test_set(config),
        "Not comparable with the paper: its adversarial images come from the test images that its search had used, and "
        "include images that were misclassified before any attack.",
        "Adversarial images made from one image are counted as independent, which makes the intervals somewhat narrow.",
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
            found = mean_accuracy(values, search, purpose=f"{metric} top_{count}")
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


def all_differences(study: Study, config: StudyConfig) -> Table:
    """What each search gains over the reference search, at equal FLOPs and for the N lightest networks."""
    numbers = differences(study, config)
    selections = [name for name in (EQUAL_FLOPS, INTERPOLATED) if name in set(numbers["selection"])]
    selections += [f"top_{count}" for count in config.report.top if f"top_{count}" in set(numbers["selection"])]
    cells = [("Search", "Against", "Accuracy on", *(_selection_title(name) for name in selections))]
    for (search, reference, metric), rows in numbers.groupby(["search", "reference", "metric"], sort=False):
        shown = {row.selection: _difference(row) for row in rows_of(rows)}
        differences_shown = [shown.get(name, NO_VALUE) for name in selections]
        cells.append((str(search), str(reference), metric_title(str(metric)), *differences_shown))
    notes = (
        f"Equal FLOPs: one-to-one pairs within a seed whose FLOPs differ by at most "
        f"{FLOPS_TOLERANCE * 100:.0f} %, chosen on FLOPs alone. A network that both searches found pairs with itself.",
        "Interpolated: the mean difference of the two fronts where both have networks with fewer and with more FLOPs; "
        "accuracy is taken as linear in the logarithm of FLOPs between neighbours. Effect size: the mean over seeds by "
        "its standard deviation over seeds (d, Cohen's of paired values), from two seeds on; in the CSV file for all.",
        "Differences in points, in parentheses the 95 % interval. With a star: resolved, that is, the interval leaves "
        "out zero and there are at least two seeds; one run of a search is not yet a finding.",
        f"Intervals cover {drawn_anew(config, 'seeds', 'networks')}; from fewer than five seeds they are rough. Each "
        "difference is judged by itself: of twenty without any difference, one is resolved by chance.",
        *_sizes(numbers, config),
    )
    return Table("differences", "Differences between the searches", numbers, tuple(cells), notes)


def _selection_title(selection: str) -> str:
    titles = {EQUAL_FLOPS: "equal FLOPs", INTERPOLATED: "equal FLOPs, interpolated"}
    return titles.get(selection) or selection.replace("_", "-")


def _difference(row: Any) -> str:
    """A difference with its interval, a star where it is resolved, and its effect size at equal FLOPs."""
    shown = percent_interval(row.difference, row.low, row.high, sign=True) + ("*" if row.resolved else "")
    if row.selection not in (EQUAL_FLOPS, INTERPOLATED) or missing(row.effect_size):
        return shown
    return f"{shown}, d {row.effect_size:+.2f}".replace("-", MINUS)


def _sizes(numbers: pd.DataFrame, config: StudyConfig) -> list[str]:
    """What each difference rests on: a line for each search."""
    again = several(config)
    lines = []
    for search, rows in numbers.groupby("search", sort=False):
        largest = rows.loc[rows.groupby("selection", sort=False)["networks"].idxmax()]
        parts = [
            f"{_selection_title(str(r.selection))}: {r.networks} from {r.seeds}"
            + (f" ({r.retrainings} retrainings of both searches)" if again else "")
            for r in rows_of(largest)
        ]
        lines.append(f"Networks or pairs and seeds behind the differences of {search}: {'; '.join(parts)}.")
    return lines
