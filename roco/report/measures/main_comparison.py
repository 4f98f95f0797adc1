"""The comparison that decides the report's first sentence: named in the configuration, or chosen by a rule.

The rule does not see the outcome. It looks at FLOPs, at the strength of attacks, and at the accuracy of the networks of
both searches together, never at a difference between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import EQUAL_FLOPS, INTERPOLATED, metrics, roles_of
from roco.report.measures.measured import ADVERSARIAL_SET, measurements, over_retrainings, radius_name
from roco.report.numbers.statistics import FEWEST_SEEDS
from roco.report.read.collect import Study, rows_of

# Networks cannot be told apart if nearly all images are right, or nearly none.
LEAST, MOST = 0.2, 0.8
# Attacks that follow gradients in several steps, the strongest first; a single step overrates a network.
STRONGEST = ("autoattack", "apgd_t", "fab_t", "apgd_ce", "pgd", "bim")


@dataclass(frozen=True)
class Measure:
    """The metric of the main comparison.

    Attributes:
        name: of the metric.
        radius: in 1/255, if the metric is accuracy within a radius of the curve; else 0.
        accuracy: of the networks of both searches together; None if the configuration names the metric.
    """

    name: str
    radius: float = 0.0
    accuracy: float | None = None

    @property
    def tells_apart(self) -> bool:
        """Whether enough images are right and enough are wrong to tell networks apart."""
        return self.accuracy is None or LEAST <= self.accuracy <= MOST


def main_measure(study: Study, config: StudyConfig) -> Measure | None:
    """The metric that the configuration names; else the radius or the attack that tells the networks apart best.

    With a curve: the radius at which the accuracy of both searches' networks together is nearest to a half. Without a
    curve: the strongest attack under which it lies between 20 and 80 %, or the attack that comes nearest. Without
    white-box attacks: the adversarial set. None if nothing was measured.
    """
    named = config.report.main.measure
    if isinstance(named, str):
        return Measure(named)
    if named is not None:
        return Measure(radius_name(named), radius=named)
    role = roles_of(config)
    curve = over_retrainings(study.curves[study.curves["radius"] > 0], ["radius"])
    of_radius = _together(curve, "radius", [role.main, role.reference])
    if of_radius:
        radius = min(of_radius, key=lambda each: (abs(of_radius[each] - 0.5), each))
        return Measure(radius_name(radius), radius, of_radius[radius])
    of_metric = _together(measurements(study), "metric", [role.main, role.reference])
    attacks = {name: attack.method for name, attack in config.robustness.attacks.items() if name in of_metric}
    iterated = [name for method in STRONGEST for name in attacks if attacks[name] == method]
    measures = [Measure(name, accuracy=of_metric[name]) for name in iterated]
    if measures:
        return next((measure for measure in measures if measure.tells_apart), min(measures, key=_distance))
    left = [name for name in (ADVERSARIAL_SET, *metrics(config)) if name in of_metric]
    return Measure(left[0], accuracy=of_metric[left[0]]) if left else None


def _distance(measure: Measure) -> float:
    return abs((measure.accuracy or 0.0) - 0.5)


def _together(values: pd.DataFrame, by: str, searches: Sequence[str | None]) -> dict[Any, float]:
    """The mean accuracy of the networks of some searches, each network once, by metric or radius."""
    part = values[values["search"].isin([name for name in searches if name])]
    return {getattr(row, by): float(row.accuracy) for row in rows_of(part.groupby(by)["accuracy"].mean().reset_index())}


def main_selection(of_main: pd.DataFrame, config: StudyConfig) -> str | None:
    """Which networks are compared: from the configuration, else chosen by FLOPs alone.

    Pairs at equal FLOPs, if five seeds have pairs of different networks, or as many seeds as for any other choice; else
    the interpolated fronts by the same rule; else the N lightest, for the largest N.

    Args:
        of_main: the rows of the table of differences with the main search and metric.
        config: the study's configuration.
    """
    named = config.report.main.networks
    if named is not None:
        return named if isinstance(named, str) else f"top_{named}"
    different = of_main[of_main["networks"] > of_main["same_networks"]]
    rows = {str(row.selection): int(row.seeds) for row in rows_of(different if len(different) else of_main)}
    enough = min(FEWEST_SEEDS, max(rows.values(), default=0))
    for selection in (EQUAL_FLOPS, INTERPOLATED):
        if selection in rows and rows[selection] >= enough:
            return selection
    return max(rows, key=lambda name: (rows[name], _size(name)), default=None)


def _size(selection: str) -> int:
    return int(selection.split("_")[1]) if selection.startswith("top_") else 0
