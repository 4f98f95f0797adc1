"""Table I: the adversarial samples by target, norm and threshold."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.paper import ADVERSARIAL_SAMPLES
from roco.report.measures.targets import NORM_TITLES, TARGET_TITLES, makers_of_test_set
from roco.report.numbers.format import NO_VALUE, percent, whole
from roco.report.numbers.statistics import wilson
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

CELL_NUMBERS = ["split", "target", "norm", "threshold", "attacked", "successes", "rate", "low", "high", "paper_samples"]


def make(study: Study, config: StudyConfig) -> Content:
    """Table I: how many of the images that a target classified correctly each attack turned."""
    rows = []
    for cell in rows_of(study.cells):
        rate = wilson(int(cell.successes), int(cell.attacked))
        published = ADVERSARIAL_SAMPLES.get(str(cell.target), {}).get((str(cell.norm), int(cell.threshold)))
        counted = (cell.split, cell.target, cell.norm, cell.threshold, cell.attacked, cell.successes)
        rows.append((*counted, *rate.bounds, published))
    numbers = pd.DataFrame(rows, columns=CELL_NUMBERS)
    numbers["paper_samples"] = numbers["paper_samples"].astype("Int64")
    attacks = [(norm, threshold) for norm in NORM_TITLES for threshold in config.adversarial.thresholds]
    header = ("Images", "Target", "Attacked", *(f"{NORM_TITLES[n]} {t}" for n, t in attacks), "Total")
    cells: list[tuple[str, ...]] = []
    for split in ("test", "validation"):
        of_split = numbers[numbers["split"] == split]
        targets = [name for name in TARGET_TITLES if name in set(of_split["target"])]
        cells += [
            _samples_row(split, of_split[of_split["target"] == name], TARGET_TITLES[name], attacks) for name in targets
        ]
        if len(targets) > 1:
            cells.append(_samples_row(split, of_split, "all", attacks))
    cells += [_paper_row(target, attacks) for target in ADVERSARIAL_SAMPLES if target in set(numbers["target"])]
    return Content(numbers, (header, *cells), _sample_notes(config))


def _samples_row(split: str, part: pd.DataFrame, title: str, attacks: list[tuple[str, int]]) -> tuple[str, ...]:
    shown = []
    for norm, threshold in attacks:
        of_cell = part[(part["norm"] == norm) & (part["threshold"] == threshold)]
        shown.append(_count_and_rate(of_cell) if len(of_cell) else NO_VALUE)
    attacked = sorted(set(part["attacked"]))
    span = whole(attacked[0]) if len(attacked) == 1 else f"{whole(attacked[0])} to {whole(attacked[-1])}"
    return (split, title, span, *shown, whole(part["successes"].sum()))


def _count_and_rate(cells: pd.DataFrame) -> str:
    successes, attacked = cells["successes"].sum(), cells["attacked"].sum()
    return f"{whole(successes)} ({percent(successes / attacked if attacked else None)})"


def _paper_row(target: str, attacks: list[tuple[str, int]]) -> tuple[str, ...]:
    counts = ADVERSARIAL_SAMPLES[target]
    shown = [whole(counts.get(attack)) for attack in attacks]
    return ("paper, test", TARGET_TITLES[target], NO_VALUE, *shown, whole(sum(counts.values())))


def _sample_notes(config: StudyConfig) -> tuple[str, ...]:
    return (
        "Counts of verified successes; in parentheses the percentage of the attacked images, each of which the target "
        "classified correctly. L0 counts changed pixels; L∞ is the largest change of a value, in 1/255.",
        f"Attacks: L0 by {config.adversarial.l0_attack.method}, L∞ by {config.adversarial.linf_attack.method}. "
        f"The search sees the validation set only; the test set is for this report. {makers_of_test_set(config)}",
        "The paper's counts (CIFAR-10, other attacks) include images that the target misclassified before any attack, "
        "so they can be read for their order, not compared as numbers.",
    )
