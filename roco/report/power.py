"""How many seeds a study needs to resolve a difference, and what its own number of seeds resolves. No wording."""

import math

from scipy.stats import nct

from roco.report.statistics import FEWEST_SEEDS, quantile

# How often a difference that is there is to be resolved.
POWER = 0.8
MOST_SEEDS = 1000
# A standard deviation of the difference over seeds, for who has seen none yet: 3 points.
TYPICAL_DEVIATION = 0.03
# The differences that the report and the plan speak of: 2 and 5 points.
DIFFERENCES_OF_INTEREST = (0.02, 0.05)


def power(difference: float, deviation: float, seeds: int) -> float:
    """How often a paired t test over seeds, at 5 %, resolves a difference with this standard deviation over seeds."""
    freedom = seeds - 1
    shift = abs(difference) / deviation * math.sqrt(seeds) if deviation else math.inf
    limit = quantile(freedom)
    # Far away the distribution has no numbers, and no need of them.
    if shift > 10 * limit:
        return 1.0
    return float(nct.sf(limit, freedom, shift) + nct.cdf(-limit, freedom, shift))


def seeds_needed(difference: float, deviation: float) -> int | None:
    """The fewest seeds, five at least, that resolve a difference in 80 % of studies; None where 1,000 do not."""
    return next((n for n in range(FEWEST_SEEDS, MOST_SEEDS + 1) if power(difference, deviation, n) >= POWER), None)
