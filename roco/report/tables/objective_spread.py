"""The spread of the search's adversarial objective over the evaluated networks, and what it adds to error."""

import math
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.searched import searched_networks
from roco.report.numbers.format import (
    percent,
    signed_interval,
    whole,
)
from roco.report.numbers.relations import FEWEST_RANKED, interval_of_independent
from roco.report.numbers.statistics import NOTHING, Interval
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

QUARTILES = ["minimum", "lower_quartile", "median", "upper_quartile", "maximum"]
NUMBERS = ["search", "seed", "networks", "images", *QUARTILES, "standard_deviation", "noise"]
NUMBERS += ["correlation", "low", "high"]
ALL = "all"


def make(study: Study, config: StudyConfig) -> Content:
    """For each search and seed, and for all together, the adversarial objective of the networks that were evaluated."""
    networks = searched_networks(study)
    images = int(study.cells.loc[study.cells["split"] == "validation", "successes"].sum())
    rows: list[tuple[Any, ...]] = []
    for search in config.search.searches:
        part = networks[networks["search"] == search]
        rows += [(search, str(seed), *_row(of_seed, images)) for seed, of_seed in part.groupby("seed")]
    # All searches of a seed share the first population, whose networks count once.
    rows.append((ALL, ALL, *_row(networks.drop_duplicates(["seed", "key"]), images)))
    numbers = pd.DataFrame(rows, columns=NUMBERS)
    quartiles = ("Minimum", "Lower quartile", "Median", "Upper quartile", "Maximum")
    spread = ("Standard deviation", "Binomial noise", "Rank correlation with validation error")
    header = ("Search", "Seed", "Networks", *quartiles, *spread)
    return Content(numbers, (header, *_cells(numbers)), _notes(images))


def _row(networks: pd.DataFrame, images: int) -> tuple[Any, ...]:
    errors = networks["adversarial_error"].to_numpy(dtype=float)
    if not len(errors):
        return (0, images, *[math.nan] * (len(NUMBERS) - 4))
    spread = float(errors.std(ddof=1)) if len(errors) > 1 else math.nan
    noise = math.sqrt(float(np.mean(errors * (1 - errors))) / images) if images else math.nan
    quartiles = np.quantile(errors, [0, 0.25, 0.5, 0.75, 1])
    return (len(errors), images, *quartiles, spread, noise, *_rank_correlation(networks).bounds)


def _rank_correlation(networks: pd.DataFrame) -> Interval:
    ranks = networks[["adversarial_error", "error"]].astype(float).rank()
    if len(ranks) < FEWEST_RANKED or (ranks.nunique() < 2).any():
        return NOTHING
    # No bootstrap: a study at the paper's size has thousands of networks here.
    return interval_of_independent(float(np.corrcoef(ranks.to_numpy(), rowvar=False)[0, 1]), len(ranks))


def _cells(numbers: pd.DataFrame) -> list[tuple[str, ...]]:
    cells = []
    for row in rows_of(numbers):
        spread = [percent(getattr(row, name)) for name in (*QUARTILES, "standard_deviation", "noise")]
        shown = signed_interval(row.correlation, row.low, row.high)
        cells.append((str(row.search), str(row.seed), whole(row.networks), *spread, shown))
    return cells


def _notes(images: int) -> tuple[str, ...]:
    return (
        f"Percentage of the {whole(images)} images of the validation adversarial set that a network gets wrong, over "
        "all networks that a search evaluated, with the first population and those that did not survive. Last row: "
        "each network once per seed.",
        "Binomial noise: the standard error of one network's percentage if its images were independent, the root mean "
        "square over the networks. A source image may be in several cells, which makes the true error larger; all "
        "networks see the same images, which makes it smaller for differences. An objective whose standard deviation "
        "is not well above this noise orders networks by chance.",
        "Rank correlation (Spearman) with validation error: at +1 the objective would say no more than the error; "
        "noise alone keeps it below +1. In parentheses Bonett and Wright's 95 % interval, which takes networks as "
        "independent and is too narrow for networks that descend from each other; no number for fewer than six "
        "networks.",
    )
