"""How many seeds a study needs to resolve a difference, given the spread over its seeds so far."""

import math
from pathlib import Path

import pandas as pd
from scipy.stats import nct

from roco.report.numbers.format import missing, percent
from roco.report.numbers.statistics import FEWEST_SEEDS, quantile

# The share of studies that should resolve an existing difference.
POWER = 0.8
MOST_SEEDS = 1000
# The standard deviation of the difference over seeds, if the study has no estimate yet: 3 points.
TYPICAL_DEVIATION = 0.03
# The differences that the report and the plan speak of: 2 and 5 points.
DIFFERENCES_OF_INTEREST = (0.02, 0.05)


def power(difference: float, deviation: float, seeds: int) -> float:
    """The power of a paired t test over seeds, at 5 %, for a difference with this standard deviation over seeds."""
    freedom = seeds - 1
    shift = abs(difference) / deviation * math.sqrt(seeds) if deviation else math.inf
    limit = quantile(freedom)
    # Far from zero scipy gives no numbers, and the power is 1.
    if shift > 10 * limit:
        return 1.0
    other_side = float(nct.cdf(-limit, freedom, shift)) if shift < 4 else 0.0
    return float(nct.sf(limit, freedom, shift)) + other_side


def seeds_needed(difference: float, deviation: float) -> int | None:
    """The fewest seeds, at least five, that resolve a difference in 80 % of studies; None if 1,000 do not."""
    return next((n for n in range(FEWEST_SEEDS, MOST_SEEDS + 1) if power(difference, deviation, n) >= POWER), None)


def seeds_wanted(deviation: float, seeds: int) -> str:
    """How many seeds would resolve differences of interest, in a sentence."""
    seen = not missing(deviation) and deviation > 0
    used = deviation if seen else TYPICAL_DEVIATION
    needed = [seeds_needed(difference, used) for difference in DIFFERENCES_OF_INTEREST]
    counts = [f"more than {MOST_SEEDS:,}" if count is None else str(count) for count in needed]
    two, five = (f"of {100 * difference:.0f} points" for difference in DIFFERENCES_OF_INTEREST)
    resolve = f"{counts[0]} seeds resolve a difference {two} in four studies of five, and {counts[1]} seeds one {five}"
    if seen:
        rough = "" if seeds >= FEWEST_SEEDS else f" (a rough guess, from {seeds} seeds)"
        return (
            f"Over seeds the difference has a standard deviation of {percent(used)} points{rough}: with it {resolve}."
        )
    return (
        "How far the difference varies over seeds is not known from this study; with a standard deviation of "
        f"{percent(used, digits=0)} points {resolve}."
    )


def spread_seen(differences: str | Path) -> tuple[float, int]:
    """The standard deviation over seeds of the main comparison, and the number of seeds; NaN and 0 if unknown.

    Args:
        differences: the CSV file of the table of differences, which need not exist.
    """
    if Path(differences).exists():
        numbers = pd.read_csv(differences)
        if {"main", "deviation", "seeds"} <= set(numbers.columns):
            main = numbers[numbers["main"].astype(bool)]
            if len(main):
                return float(main["deviation"].iloc[0]), int(main["seeds"].iloc[0])
    return math.nan, 0
