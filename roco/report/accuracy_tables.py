"""Tables III and IV, the differences between searches, and every retrained network under every attack."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.collect import Study, records_of, rows_of
from roco.report.compare import (
    ADVERSARIAL_SET,
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    TEST,
    differences,
    lightest,
    mean_accuracy,
    measurements,
    metric_title,
    metrics,
    name_of,
)
from roco.report.paper import ADVERSARIAL_SET_ACCURACY, TEST_ACCURACY
from roco.report.table import MINUS, NO_VALUE, Table, millions, missing, percent, percent_interval, whole

# Columns of a network's accuracy within a radius, in the norm of the curve.
AT_RADIUS = "accuracy_at_"
ACCURACY_NUMBERS = ["search", "top", "seeds", "networks", "accuracy", "low", "high", "basis", "paper_accuracy"]


def adversarial_accuracy(study: Study, config: StudyConfig) -> Table:
    """Table III: accuracy on the adversarial test set of the N lightest networks of each search."""
    numbers = _of_lightest(study, config, ADVERSARIAL_SET, ADVERSARIAL_SET_ACCURACY)
    notes = (
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
            size = (values["seed"].nunique(), len(values))
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
    if failed := int((study.networks["status"] == "failed").sum()):
        notes.append(
            f"{failed} network{'s' if failed > 1 else ''} failed in retraining or under attack and are left out."
        )
    if config.dataset.name != "cifar10":
        notes.append(
            f"The paper's numbers are for CIFAR-10 and its full budget; this study is on {config.dataset.name}."
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
        "Intervals cover seeds, networks and test images; from fewer than five seeds they are rough. Each difference "
        "is judged by itself: of twenty without any difference, one is resolved by chance.",
        *_sizes(numbers),
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


def _sizes(numbers: pd.DataFrame) -> list[str]:
    """What each difference rests on: a line for each search."""
    lines = []
    for search, rows in numbers.groupby("search", sort=False):
        largest = rows.loc[rows.groupby("selection", sort=False)["networks"].idxmax()]
        parts = [f"{_selection_title(str(r.selection))}: {r.networks} from {r.seeds}" for r in rows_of(largest)]
        lines.append(f"Networks or pairs and seeds behind the differences of {search}: {'; '.join(parts)}.")
    return lines


def white_box(study: Study, config: StudyConfig) -> Table:
    """Every retrained network: cost, accuracy on test images and adversarial set, and under each white-box attack."""
    attacks = list(config.robustness.attacks)
    measured = measurements(study)
    values = {(r.search, r.seed, r.slot, r.metric): r.accuracy for r in rows_of(measured)}
    at_radius: dict[tuple[Any, ...], dict[str, float]] = {}
    for r in rows_of(study.curves):
        at_radius.setdefault((r.search, r.seed, r.slot), {})[f"{AT_RADIUS}{r.radius:g}"] = r.accuracy
    rows: list[dict[str, Any]] = []
    for network in records_of(study.networks):
        place = (network["search"], network["seed"], network["slot"])
        kept = ["search", "seed", "slot", "status", "reason", "key", "genome", "channels", "parameters", "flops"]
        row = {name: network[name] for name in kept}
        row |= {metric: values.get((*place, metric)) for metric in metrics(config)}
        rows.append(row | at_radius.get(place, {}))
    radii = list(dict.fromkeys(f"{AT_RADIUS}{radius:g}" for radius in sorted(study.curves["radius"])))
    columns = [*kept, *metrics(config), *radii] if rows else ["search", "seed", "slot", "status", *metrics(config)]
    numbers = pd.DataFrame(rows, columns=columns)
    header = (
        "Search",
        "Seed",
        "Network",
        "Parameters, M",
        "FLOPs, M",
        "Adversarial set",
        "Test",
        *(metric_title(a) for a in attacks),
    )
    cells = [header, *(_white_box_row(row, config) for row in rows)]
    images = sorted({int(n) for n in study.retrained["white_box_images"]})
    notes = [
        "Accuracies in %. Each attack's share of test images that the network still classifies correctly, by our own "
        "re-classification of what the attack returned; its settings are in the configuration below. The CSV file "
        "holds each network's accuracy against the radius as well.",
        f"White-box attacks see {' or '.join(map(whole, images)) if images else 'no'} test images: "
        f"a 95 % interval of about ±{percent(0.98 / images[0] ** 0.5) if images else NO_VALUE} points at 50 %.",
    ]
    return Table("white_box", "All retrained networks under white-box attacks", numbers, tuple(cells), tuple(notes))


def _white_box_row(row: Mapping[str, Any], config: StudyConfig) -> tuple[str, ...]:
    name = name_of(str(row["genome"]))
    network = str(row["key"]) if name == row["genome"] else f"{row['key']} ({name})"
    if row["status"] != "ok":
        network = f"{network}, failed: {row['reason']}"
    shown = [percent(row[metric]) for metric in metrics(config)]
    return (str(row["search"]), str(row["seed"]), network, millions(row["parameters"]), millions(row["flops"]), *shown)
