"""The table of differences between the searches: the main comparison, all others, and the share of chance."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import (
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    attacks_without_budget,
    metric_title,
)
from roco.report.measures.differences import Difference, differences, differences_in, main_difference
from roco.report.measures.main_comparison import Measure, main_measure
from roco.report.measures.measured import several
from roco.report.numbers.format import MINUS, NO_VALUE, missing, percent, percent_interval
from roco.report.numbers.power import seeds_wanted
from roco.report.numbers.statistics import CONFIDENCE, FEWEST_SEEDS
from roco.report.read.collect import Study
from roco.report.tables.table import Content

MAIN = " †"
NOT_COMPARED = "Attacks without a budget are left out: images that they leave right are their own failure."


def make(study: Study, config: StudyConfig) -> Content:
    """What each search gains over the reference search, at equal FLOPs and for the N lightest networks."""
    numbers = differences(study, config)
    selections = [name for name in (EQUAL_FLOPS, INTERPOLATED) if name in set(numbers["selection"])]
    selections += [f"top_{count}" for count in config.report.top if f"top_{count}" in set(numbers["selection"])]
    cells = [("Search", "Against", "Accuracy on", *(_selection_title(name) for name in selections))]
    for (search, reference, metric), rows in numbers.groupby(["search", "reference", "metric"], sort=False):
        shown = {row.selection: _shown(row) for row in differences_in(rows)}
        differences_shown = [shown.get(name, NO_VALUE) for name in selections]
        cells.append((str(search), str(reference), metric_title(str(metric)), *differences_shown))
    notes = (
        *_main_notes(numbers, main_measure(study, config)),
        *_chance(numbers),
        "Differences in points, in parentheses the 95 % interval: Student's t over the differences of the seeds, with "
        f"the test images that all seeds share as a second source of error. {_within(config)}",
        f"Equal FLOPs: one-to-one pairs within a seed whose FLOPs differ by at most "
        f"{FLOPS_TOLERANCE * 100:.0f} %, chosen on FLOPs alone. A network that both searches found pairs with itself.",
        "Interpolated: the mean difference of the two fronts where both have networks with fewer and with more FLOPs; "
        "accuracy is taken as linear in the logarithm of FLOPs between neighbours. Effect size: the mean over seeds by "
        "its standard deviation over seeds (d, Cohen's of paired values), from two seeds on; in the CSV file for all.",
        *_sizes(numbers, config),
        *([NOT_COMPARED] if attacks_without_budget(config) else []),
    )
    return Content(numbers, tuple(cells), notes)


def _main_notes(numbers: pd.DataFrame, measure: Measure | None) -> list[str]:
    """Which comparison is the main one, how it was chosen, its verdict, and how many seeds would say more."""
    main = main_difference(numbers)
    if main is None or measure is None:
        return ["The main comparison (report.main) could not be made."]
    how = "The configuration names what it measures."
    if measure.accuracy is not None:
        how = (
            "What it measures is chosen by a rule that sees no difference: the radius of the curve, or without a curve "
            "the strongest attack, at which the networks of both searches together hold nearest to a half; here "
            f"{percent(measure.accuracy)} % of the images."
        )
    title = f"{main.search} against {main.reference}, {_selection_title(main.selection)}"
    named = f"The main comparison: {title}, {metric_title(main.metric)}; {main.verdict}."
    return [f"{MAIN.strip()} {named} {how} {seeds_wanted(main.deviation, main.seeds)}"]


def _chance(numbers: pd.DataFrame) -> list[str]:
    """How many comparisons there are, and how many stars chance alone would give, with and without correction."""
    others = numbers[~numbers["main"].astype(bool)]
    counted = int(others["p_holm"].notna().sum())
    if others.empty:
        return []
    if not counted:
        return [
            f"{len(others)} other differences are shown for exploration. None has a star: a star needs {FEWEST_SEEDS} "
            f"seeds. Without this rule chance alone would give {_chances(len(others))} stars if nothing differed."
        ]
    small = int((others["p"] < 1 - CONFIDENCE).sum())
    return [
        f"A star means resolved. The main comparison has a star if p < 0.05; the {counted} others if that holds after "
        f"Holm's correction for their number. Without correction chance alone would give {_chances(counted)} stars in "
        f"{counted} if nothing differed; here {small} have p < 0.05. With correction chance gives any star in at most "
        "one study of twenty."
    ]


def _chances(count: int) -> str:
    return f"{(1 - CONFIDENCE) * count:.1f}"


def _within(config: StudyConfig) -> str:
    if len(config.seeds) > 1:
        once = "" if several(config) else " Each network was trained once: the spread over seeds holds that luck too."
        return f"From fewer than {FEWEST_SEEDS} seeds nothing is concluded.{once}"
    if several(config):
        return "With one seed it holds within this run alone, over its networks, their retrainings and test images."
    return (
        "With one seed and one training of each network there is no interval: how far another run, or another training "
        "of the same networks, would lead is not known (seeds, retraining.seeds)."
    )


def _selection_title(selection: str) -> str:
    titles = {EQUAL_FLOPS: "equal FLOPs", INTERPOLATED: "equal FLOPs, interpolated"}
    return titles.get(selection) or selection.replace("_", "-")


def _shown(row: Difference) -> str:
    """A difference with its interval, a star if it is resolved, and its effect size at equal FLOPs."""
    shown = percent_interval(row.difference, row.low, row.high, sign=True) + ("*" if row.resolved else "")
    if row.selection in (EQUAL_FLOPS, INTERPOLATED) and not missing(row.effect_size):
        shown += f", d {row.effect_size:+.2f}".replace("-", MINUS)
    return shown + (MAIN if row.main else "")


def _sizes(numbers: pd.DataFrame, config: StudyConfig) -> list[str]:
    """The numbers of networks and seeds behind the differences: a line for each search."""
    again = several(config)
    lines = []
    for search, rows in numbers.groupby("search", sort=False):
        largest = rows.loc[rows.groupby("selection", sort=False)["networks"].idxmax()]
        parts = [
            f"{_selection_title(row.selection)}: {row.networks} from {row.seeds}"
            + (f" ({row.retrainings} retrainings of both searches)" if again else "")
            for row in differences_in(largest)
        ]
        lines.append(f"Networks or pairs and seeds behind the differences of {search}: {'; '.join(parts)}.")
    return lines
