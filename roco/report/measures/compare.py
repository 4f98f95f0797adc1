"""What is compared: the roles of the searches, the metrics, the N lightest networks, and pairs of equal FLOPs.

Networks are chosen by FLOPs alone; accuracies never decide what is compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roco.attacks.white_box import title_of
from roco.config import StudyConfig
from roco.report.measures.measured import ADVERSARIAL_SET, RADIUS, TEST, groups_by_seed, sizes_of
from roco.report.numbers.contrasts import pair_by_flops
from roco.report.numbers.statistics import Interval, mean_interval
from roco.report.read.collect import REFERENCES, Study
from roco.search.objectives import OBJECTIVES, parse
from roco.search.settings import SearchKind
from roco.space.settings import PUBLISHED_GENOMES

# Networks of a pair "at equal FLOPs" differ by at most a tenth.
FLOPS_TOLERANCE = 0.1
EQUAL_FLOPS = "equal_flops"
INTERPOLATED = "interpolated"


@dataclass(frozen=True)
class Roles:
    """The reference search, and the searches that are compared with it, the main search first."""

    reference: str
    others: tuple[str, ...]

    @property
    def main(self) -> str | None:
        """The search of the report's first sentence; None if there is only one search."""
        return self.others[0] if self.others else None


def roles_of(config: StudyConfig) -> Roles:
    """The roles of a study's searches: from report.main, else by their objectives and methods."""
    by_rule, named = roles(config.search.searches), config.report.main
    reference = named.reference or by_rule.reference
    if reference == named.search:
        reference = next(name for name in (by_rule.reference, *by_rule.others) if name != named.search)
    others = [name for name in (named.search, *by_rule.others, by_rule.reference) if name and name != reference]
    return Roles(reference, tuple(dict.fromkeys(others)))


def roles(searches: Mapping[str, SearchKind]) -> Roles:
    """The roles of the searches, by their objectives and methods.

    The reference is the search `baseline`, or else the first search, without the adversarial objective; the main search
    is the first with it. Random searches are controls and come last for both.
    """
    searched = [name for name, kind in searches.items() if kind.method != "random"] or list(searches)
    plain = [name for name in searched if not has_adversarial_objective(searches[name])]
    reference = "baseline" if "baseline" in plain else (plain or searched)[0]
    others = [name for name in searches if name != reference]
    return Roles(reference, tuple(sorted(others, key=lambda name: (name not in searched, name in plain))))


def has_adversarial_objective(kind: SearchKind) -> bool:
    """Whether a search minimises the adversarial error, alone or in a sum."""
    return any(OBJECTIVES[parse(text)[0]].adversarial for text in kind.objectives)


def metrics(config: StudyConfig) -> list[str]:
    """The metrics of a study in the order of its report."""
    return [ADVERSARIAL_SET, TEST, *config.robustness.attacks]


def compared_metrics(config: StudyConfig) -> list[str]:
    """The metrics that say how accurate a network is: all except attacks without a budget."""
    return [ADVERSARIAL_SET, TEST, *config.robustness.with_budget]


def attacks_without_budget(config: StudyConfig) -> list[str]:
    """The names of the attacks without a budget: their distances are compared, not accuracies."""
    return [name for name in config.robustness.attacks if name not in config.robustness.with_budget]


def metric_title(metric: str) -> str:
    """The title of a metric in tables; for an attack from its name in the configuration."""
    words = {ADVERSARIAL_SET: "adversarial set", TEST: "test images"}
    if metric.startswith(RADIUS):
        return f"all attacks within {metric.removeprefix(RADIUS)}/255"
    return words.get(metric) or title_of(metric)


def attack_of(config: StudyConfig, method: str) -> str | None:
    """The attack that represents a method: the attack with the method's name, or the first that uses it."""
    names = [name for name, attack in config.robustness.attacks.items() if attack.method == method]
    return method if method in names else next(iter(names), None)


def lightest(networks: pd.DataFrame, count: int | None = None) -> pd.DataFrame:
    """The `count` networks with the fewest FLOPs of each search and seed (all if not given), lightest first."""
    ordered = networks[networks["search"] != REFERENCES].sort_values(["search", "seed", "flops", "slot"], kind="stable")
    return ordered if count is None else ordered.groupby(["search", "seed"], sort=False).head(count)


def name_of(genome: str) -> str:
    """The published name of a genome, or the genome itself."""
    return {text: name for name, text in PUBLISHED_GENOMES.items()}.get(genome, genome)


def mean_accuracy(values: pd.DataFrame, search: str) -> Interval:
    """The mean accuracy of a search's networks, over networks within a seed and then over seeds.

    Args:
        values: measurements of one metric and one selection of networks.
        search: the search.
    """
    return mean_interval(list(groups_by_seed(values, search).values()), sizes_of(values))


def equal_flops_pairs(study: Study, search: str, reference: str, *, tolerance: float | None) -> pd.DataFrame:
    """Pairs of networks of two searches with nearly equal FLOPs (at the retraining width), within each seed.

    Returns:
        seed, slot (of `search`), reference_slot, flops, reference_flops, same (whether both are the same network); the
        closest pair of a seed first.
    """
    rows: list[tuple[Any, ...]] = []
    for seed, members in study.retrained.groupby("seed", sort=True):
        ours, theirs = (members[members["search"] == name] for name in (search, reference))
        for i, j in pair_by_flops(ours["flops"].to_list(), theirs["flops"].to_list(), tolerance=tolerance):
            a, b = ours.iloc[i], theirs.iloc[j]
            rows.append((seed, a["slot"], b["slot"], a["flops"], b["flops"], a["key"] == b["key"]))
    columns = ["seed", "slot", "reference_slot", "flops", "reference_flops", "same"]
    return pd.DataFrame(rows, columns=columns)


def searches_in(data: pd.DataFrame, config: StudyConfig) -> list[str]:
    """The searches of the data in the order of the configuration, the references last."""
    present = set(data["search"])
    return [name for name in (*config.search.searches, REFERENCES) if name in present]
