"""What a search gains over random search: hypervolumes at equal numbers of evaluated networks."""

from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.differences import judged
from roco.report.measures.searched import hypervolume_course
from roco.report.numbers.format import signed_interval, whole
from roco.report.numbers.statistics import FEWEST_SEEDS, interval_over_seeds
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

CONTROL = ["search", "control", "objectives", "generation", "evaluations", "seeds"]
CONTROL += ["hypervolume", "control_hypervolume", "difference", "low", "high", "p"]


def make(study: Study, config: StudyConfig) -> Content:
    """The hypervolume of each search after each generation, against the first random search of the study.

    The control's hypervolume is that of its last population that had cost no more evaluated networks.
    """
    numbers = judged(pd.DataFrame(_rows(study, config), columns=CONTROL).assign(main=False)).drop(columns="main")
    header = ("Search", "In", "Evaluated", "Hypervolume", "At random", "Difference", "Seeds", "Verdict")
    cells = [header, *(_shown(row) for row in rows_of(numbers) if row.generation in _milestones(config))]
    return Content(numbers, tuple(cells), _notes(numbers, config))


def _rows(study: Study, config: StudyConfig) -> list[tuple[Any, ...]]:
    kinds = config.search.searches
    control = next((name for name, kind in kinds.items() if kind.method == "random"), None)
    course, rows = hypervolume_course(study), list[tuple[Any, ...]]()
    for search in [name for name, kind in kinds.items() if control and kind.method != "random"]:
        for objectives, part in course.groupby("objectives", sort=False):
            for generation in range(config.search.generations + 1):
                paired = _paired(part, search, str(control), generation)
                if paired.empty:
                    continue
                gain = paired["hypervolume"] - paired["control_hypervolume"]
                interval = interval_over_seeds(gain.to_numpy(dtype=float))
                means = paired[["evaluations", "hypervolume", "control_hypervolume"]].mean().to_list()
                counted = (search, control, objectives, generation, round(means[0]), len(paired))
                rows.append((*counted, *means[1:], *interval.bounds, interval.p))
    return rows


def _paired(course: pd.DataFrame, search: str, control: str, generation: int) -> pd.DataFrame:
    """A row for each seed of both: evaluations, hypervolume, and the control's hypervolume at no more evaluations."""
    of_search = course[(course["search"] == search) & (course["generation"] == generation)]
    rows = []
    for row in rows_of(of_search):
        before = course["evaluations"] <= row.evaluations
        reached = course[(course["search"] == control) & (course["seed"] == row.seed) & before]
        if len(reached):
            last = reached.sort_values("generation")["hypervolume"].iloc[-1]
            rows.append((row.evaluations, row.hypervolume, last))
    return pd.DataFrame(rows, columns=["evaluations", "hypervolume", "control_hypervolume"])


def _milestones(config: StudyConfig) -> set[int]:
    """The generations that the table shows: the first, the last, and the quarters between."""
    return {int(generation) for generation in np.linspace(0, config.search.generations, 5).round()}


def _shown(row: Any) -> tuple[str, ...]:
    difference = signed_interval(row.difference, row.low, row.high, digits=4)
    volumes = (f"{row.hypervolume:.4f}", f"{row.control_hypervolume:.4f}")
    too_few = f"no verdict below {FEWEST_SEEDS} seeds"
    verdict = "resolved" if row.resolved else "not resolved" if row.seeds >= FEWEST_SEEDS else too_few
    objectives = row.objectives.replace(" ", ", ").replace("_", " ")
    return (row.search, objectives, whole(row.evaluations), *volumes, difference, whole(row.seeds), verdict)


def _notes(numbers: pd.DataFrame, config: StudyConfig) -> tuple[str, ...]:
    if not any(kind.method == "random" for kind in config.search.searches.values()):
        return ("The study holds no random search (search.searches with method: random), so there is nothing to show.",)
    return (
        "Mean over seeds; in parentheses the 95 % interval over seeds of the difference within a seed (Student's t; "
        "none for one seed). The scale of the hypervolume is that of its figure: larger is better.",
        f"Resolved: p < 0.05 after Holm's correction for all {len(numbers)} rows of the CSV file, from {FEWEST_SEEDS} "
        f"seeds on; without it chance alone would resolve {0.05 * len(numbers):.1f} if nothing differed. The "
        "hypervolumes are of values that the searches selected on.",
        "At random: the best of as many random networks from the same first population. All objectives are as the "
        "searches saw them, on validation images. The CSV file has every generation.",
    )
