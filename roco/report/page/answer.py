"""The answer of a study in a few sentences, from the numbers of its tables alone."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import (
    EQUAL_FLOPS,
    FLOPS_TOLERANCE,
    INTERPOLATED,
    attack_of,
    has_adversarial_objective,
    metric_title,
    roles_of,
)
from roco.report.measures.differences import Difference, differences_in, main_difference
from roco.report.measures.main_comparison import LEAST, MOST
from roco.report.measures.measured import ADVERSARIAL_SET, RADIUS, TEST, several
from roco.report.numbers.format import missing, percent
from roco.report.numbers.power import seeds_wanted
from roco.report.numbers.statistics import in_words
from roco.report.read.collect import records_of


def answer(differences: pd.DataFrame, accuracies: pd.DataFrame, config: StudyConfig) -> tuple[str, ...]:
    """Three sentences: the main comparison; other differences and the numbers behind them; how many seeds would help.

    Args:
        differences: numbers of the table of differences.
        accuracies: numbers of Table III.
        config: the study's configuration.
    """
    role = roles_of(config)
    if role.main is None:
        return _one_search(role.reference, accuracies, config)
    main = main_difference(differences)
    if main is None:
        return _no_comparison(differences, role.main, role.reference)
    beside = differences[(differences["search"] == main.search) & (differences["selection"] == main.selection)]
    by_metric = {row.metric: row for row in differences_in(beside)}
    return _gain(main, config), _cost(main, by_metric, config), seeds_wanted(main.deviation, main.seeds)


def _no_comparison(differences: pd.DataFrame, search: str, reference: str) -> tuple[str, ...]:
    if (differences["search"] == search).any():
        return (
            f"The main comparison of {search} with {reference} (report.main) has no networks to be made of.",
            "The table of differences has what else was compared.",
        )
    return (
        f"Nothing can be said of {search} against {reference}: no seed has a retrained network of both.",
        "See below which networks failed, and why.",
    )


def _gain(row: Difference, config: StudyConfig) -> str:
    selections = {EQUAL_FLOPS: "At equal FLOPs", INTERPOLATED: "At equal FLOPs, interpolated along the fronts"}
    where = selections.get(row.selection) or f"Among the {row.selection.split('_')[1]} lightest networks"
    searches = f"networks found by {_called(row.search, config)} are"
    points = f"{_points(row, judged=True)} {_measured(row.metric)}"
    return f"{where}, {searches} {points} than those found by {row.reference}{_unclear(row)}."


def _unclear(row: Difference) -> str:
    """A caution if nearly all images or nearly none are right, so that networks cannot be told apart."""
    if LEAST <= row.accuracy <= MOST:
        return ""
    share = percent(row.accuracy)
    many = "few" if row.accuracy < LEAST else "many"
    return f"; but {share} % of the images hold there over all these networks, too {many} to tell them apart"


def _measured(metric: str) -> str:
    if metric.startswith(RADIUS):
        return f"within a radius of {metric.removeprefix(RADIUS)}/255 (worst case over all attacks)"
    words = {TEST: "on clean test images", ADVERSARIAL_SET: "on the adversarial set"}
    return words.get(metric) or f"under {metric_title(metric)}"


def _called(search: str, config: StudyConfig) -> str:
    with_objective = has_adversarial_objective(config.search.searches[search])
    return f"{search} (the search with the robustness objective)" if with_objective else search


def _points(row: Difference, *, judged: bool = False) -> str:
    """A difference in words, with the verdict if it is `judged`."""
    interval = ""
    if not missing(row.low):
        interval = f"95 % interval {percent(row.low, sign=True)} to {percent(row.high, sign=True)}"
        interval += "" if row.seeds > 1 else ", within this run"
    inside = "; ".join(part for part in (interval, row.verdict if judged else "") if part)
    word = "less" if row.difference < 0 else "more"
    return f"{percent(abs(row.difference))} points {word} accurate" + (f" ({inside})" if inside else "")


def _cost(row: Difference, by_metric: dict[str, Difference], config: StudyConfig) -> str:
    seeds = f"{row.seeds} seed{'s' if row.seeds > 1 else ''}"
    many = "s" if row.networks > 1 else ""
    unit, shared = f"network{many}", "found by both searches"
    if row.selection == EQUAL_FLOPS:
        unit = f"pair{many} of networks within {FLOPS_TOLERANCE * 100:.0f} % of each other's FLOPs"
        shared = "a network with itself, as both searches found it"
    same = f", {row.same_networks} of them {shared}," if row.same_networks else ""
    trained = f" ({row.retrainings} retrainings)" if several(config) else ""
    basis = f"this rests on {row.networks} {unit}{same} from {seeds}{trained} on {config.dataset.title}"
    caution = "" if row.seeds > 1 else ", and one run of a search is not yet a finding"
    luck = "whose luck is part of the spread over seeds"
    luck = luck if row.seeds > 1 else "and another training may differ by several points"
    caution += "" if several(config) else f"; each network was trained once, {luck}"
    others = [metric for metric in (TEST, ADVERSARIAL_SET, attack_of(config, "pgd")) if metric != row.metric]
    beside = [f"{_points(by_metric[metric])} {_measured(metric)}" for metric in others if metric in by_metric]
    if not beside:
        return f"{basis[0].upper()}{basis[1:]}{caution}."
    return f"Beside that, and for exploration only, they are {in_words(beside)}; {basis}{caution}."


def _one_search(search: str, accuracies: pd.DataFrame, config: StudyConfig) -> tuple[str, str]:
    measured = accuracies[accuracies["networks"] > 0]
    if measured.empty:
        return f"The study's search, {search}, has no retrained network yet.", "See below what failed, and why."
    row = records_of(measured.sort_values("top"))[-1]
    interval = "" if pd.isna(row["low"]) else f" (95 % interval {percent(row['low'])} to {percent(row['high'])})"
    many = f"{row['networks']} lightest networks of {search} classify"
    who = many if row["networks"] > 1 else f"retrained network of {search} classifies"
    return (
        f"The {who} {percent(row['accuracy'])} % of the adversarial set correctly{interval}.",
        f"The study on {config.dataset.title} has one search, so it cannot say what an objective gains.",
    )
