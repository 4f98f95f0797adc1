"""The answer of a study in two sentences, made from the numbers of its tables and from nothing else."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.collect import records_of
from roco.report.compare import (
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    attack_of,
    has_adversarial_objective,
    roles,
)
from roco.report.measured import ADVERSARIAL_SET, TEST, several
from roco.report.table import percent


def answer(differences: pd.DataFrame, accuracies: pd.DataFrame, config: StudyConfig) -> tuple[str, str]:
    """Two sentences: what the robustness objective gained, and what that cost and rests on.

    Args:
        differences: numbers of the table of differences.
        accuracies: numbers of Table III.
        config: the study's configuration.
    """
    role = roles(config.search.searches)
    if role.main is None:
        return _one_search(role.reference, accuracies, config)
    of_main = differences[differences["search"] == role.main]
    if of_main.empty:
        return (
            f"Nothing can be said of {role.main} against {role.reference}: no seed has a retrained network of both.",
            "See below which networks failed, and why.",
        )
    chosen = _selection(of_main)
    found = {row["metric"]: row for row in records_of(of_main[of_main["selection"] == chosen])}
    return _gain(found, role.main, role.reference, chosen, config), _cost(found, chosen, config)


def _selection(of_main: pd.DataFrame) -> str:
    """Equal FLOPs where there are such pairs of different networks; else the interpolated fronts; else the lightest."""
    different = of_main[of_main["networks"] > of_main["same_networks"]]
    selections: list[str] = list(different["selection"]) or list(of_main["selection"])
    at_equal_flops = [name for name in (EQUAL_FLOPS, INTERPOLATED) if name in selections]
    return at_equal_flops[0] if at_equal_flops else max(selections, key=lambda name: int(name.split("_")[1]))


def _gain(found: dict[str, Any], search: str, reference: str, chosen: str, config: StudyConfig) -> str:
    places = {EQUAL_FLOPS: "At equal FLOPs", INTERPOLATED: "At equal FLOPs, interpolated along the fronts"}
    where = places.get(chosen) or f"Among the {chosen.split('_')[1]} lightest networks"
    pgd = attack_of(config, "pgd")
    parts = [
        f"{_points(found[metric])} {place}"
        for metric, place in ((ADVERSARIAL_SET, "on the adversarial set"), (pgd, "under PGD"))
        if metric is not None and metric in found
    ]
    if not parts:
        parts = [f"{_points(found[TEST])} on the test images"] if TEST in found else ["not comparable"]
    return f"{where}, networks found by {_called(search, config)} are {_joined(parts)} than those found by {reference}."


def _called(search: str, config: StudyConfig) -> str:
    with_objective = has_adversarial_objective(config.search.searches[search])
    return f"{search} (the search with the robustness objective)" if with_objective else search


def _points(row: dict[str, Any]) -> str:
    value, interval = float(row["difference"]), ""
    if not pd.isna(row["low"]):
        interval = f"95 % interval {percent(row['low'], sign=True)} to {percent(row['high'], sign=True)}"
    verdict = "" if row["resolved"] else "not resolved"
    inside = ", ".join(part for part in (interval, verdict) if part)
    word = "less" if value < 0 else "more"
    return f"{percent(abs(value))} points {word} accurate" + (f" ({inside})" if inside else "")


def _cost(found: dict[str, Any], chosen: str, config: StudyConfig) -> str:
    row = next(iter(found.values()))
    seeds = f"{row['seeds']} seed{'s' if row['seeds'] > 1 else ''}"
    many = "s" if row["networks"] > 1 else ""
    unit = (
        f"pair{many} of networks within {FLOPS_TOLERANCE * 100:.0f} % of each other's FLOPs"
        if chosen == EQUAL_FLOPS
        else f"network{many}"
    )
    same = f", {row['same_networks']} of them one network that both searches found," if row["same_networks"] else ""
    trained = f" ({row['retrainings']} retrainings)" if several(config) else ""
    basis = f"this rests on {row['networks']} {unit}{same} from {seeds}{trained} on {config.dataset.title}"
    caution = "" if row["seeds"] > 1 else ", and one run of a search is not yet a finding"
    if chosen != EQUAL_FLOPS:
        caution += f"; no two different networks have FLOPs within {FLOPS_TOLERANCE * 100:.0f} % of each other"
    if TEST in found and ADVERSARIAL_SET in found:
        return f"On clean test images they are {_points(found[TEST])}; {basis}{caution}."
    return f"{basis[0].upper()}{basis[1:]}{caution}."


def _one_search(search: str, accuracies: pd.DataFrame, config: StudyConfig) -> tuple[str, str]:
    found = accuracies[accuracies["networks"] > 0]
    if found.empty:
        return f"The study's one search, {search}, has no retrained network yet.", "See below what failed, and why."
    row = records_of(found.sort_values("top"))[-1]
    interval = "" if pd.isna(row["low"]) else f" (95 % interval {percent(row['low'])} to {percent(row['high'])})"
    many = f"{row['networks']} lightest networks of {search} classify"
    who = many if row["networks"] > 1 else f"one retrained network of {search} classifies"
    return (
        f"The {who} {percent(row['accuracy'])} % of the adversarial set rightly{interval}.",
        f"The study on {config.dataset.title} holds one search, so it cannot say what an objective gains.",
    )


def _joined(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))
