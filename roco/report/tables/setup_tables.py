"""Tables I and II: the adversarial samples, and the settings of the search. What came before any search."""

from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.networks.targets import ARCHITECTURES
from roco.report.numbers.statistics import wilson
from roco.report.page.paper import ADVERSARIAL_SAMPLES
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import NO_VALUE, Table, missing, percent, whole
from roco.space.complexity import Channels

TARGET_TITLES = {name: architecture.title for name, architecture in ARCHITECTURES.items()}
NORM_TITLES = {"l0": "L0", "linf": "L∞"}
CELL_NUMBERS = ["split", "target", "norm", "threshold", "attacked", "successes", "rate", "low", "high", "paper_samples"]


def adversarial_samples(study: Study, config: StudyConfig) -> Table:
    """Table I: how many images each attack on each target turned, of how many that the target classified correctly."""
    rows = []
    for cell in rows_of(study.cells):
        rate = wilson(int(cell.successes), int(cell.attacked))
        published = ADVERSARIAL_SAMPLES.get(str(cell.target), {}).get((str(cell.norm), int(cell.threshold)))
        place = (cell.split, cell.target, cell.norm, cell.threshold, cell.attacked, cell.successes)
        rows.append((*place, rate.value, rate.low, rate.high, published))
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
    return Table(
        "table_1",
        "Table I. Adversarial samples by target, norm and threshold",
        numbers,
        (header, *cells),
        _sample_notes(config),
    )


def _samples_row(split: str, part: pd.DataFrame, title: str, attacks: list[tuple[str, int]]) -> tuple[str, ...]:
    shown = []
    for norm, threshold in attacks:
        found = part[(part["norm"] == norm) & (part["threshold"] == threshold)]
        shown.append(_count_and_rate(found) if len(found) else NO_VALUE)
    attacked = sorted(set(part["attacked"]))
    span = whole(attacked[0]) if len(attacked) == 1 else f"{whole(attacked[0])} to {whole(attacked[-1])}"
    return (split, title, span, *shown, whole(part["successes"].sum()))


def _count_and_rate(found: pd.DataFrame) -> str:
    successes, attacked = found["successes"].sum(), found["attacked"].sum()
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


def makers_of_test_set(config: StudyConfig) -> str:
    """Which networks the test set was made from, and what the search has seen of them, in a sentence."""
    seen = config.targets.architectures("validation")
    unseen = [TARGET_TITLES[name] for name in config.targets.architectures("test") if name not in seen]
    if config.targets.test is None:
        return (
            "The test set was made from the networks that made the validation set: it favours a search that has "
            "minimised the error on their images."
        )
    more = f", and {' and '.join(unseen)}, an architecture that no search has seen" if unseen else ""
    return (
        "The test set was made from other networks than the validation set: the same architectures, trained anew from "
        f"another seed{more}."
    )


def settings(study: Study, config: StudyConfig) -> Table:
    """Table II: the search's settings, the paper's beside them."""
    del study
    training, retraining = config.evaluation.training, config.retraining
    rows: list[tuple[str, Any, Any]] = [
        ("data set", config.dataset.title, "cifar10"),
        ("searches with different seeds", len(config.seeds), 1),
        ("computational blocks (phases)", config.space.phases, 3),
        ("nodes per block", config.space.nodes, 6),
        ("generations", config.search.generations, 20),
        ("population", config.search.population, 40),
        ("offspring per generation", config.search.offspring, 40),
        ("training epochs in the search", training.epochs, 25),
        ("initial channels in the search", _widths(config.evaluation.channels), 16),
        ("batch size in the search", training.batch_size, 128),
        ("learning rate in the search", training.learning_rate, 0.025),
        ("weight decay in the search", training.weight_decay, 0.0003),
        ("epochs of retraining", retraining.training.epochs, 120),
        ("initial channels when retrained", _widths(retraining.channels), 32),
        ("batch size of retraining", retraining.training.batch_size, 128),
        ("cutout of retraining, pixels", retraining.training.cutout, 16),
        ("images attacked per cell", config.adversarial.images, 1000),
        ("thresholds", ", ".join(map(str, config.adversarial.thresholds)), "1, 3, 5, 10"),
    ]
    texts = [(name, str(ours), str(paper)) for name, ours, paper in rows]
    numbers = pd.DataFrame(texts, columns=["setting", "ours", "paper_value"])
    objectives = "; ".join(f"{name}: {', '.join(kind.objectives)}" for name, kind in config.search.searches.items())
    notes = (
        f"Objectives, all minimised: {objectives}.",
        "Blocks, nodes, generations, population and epochs of the search are the paper's Table II; the others are from "
        "its Section IV.",
    )
    header = ("Setting", "This study", "Paper")
    return Table("table_2", "Table II. Settings of the search", numbers, (header, *texts), notes)


def _widths(channels: Channels) -> int | str:
    """Of the first phase, or of each."""
    return channels if isinstance(channels, int) else f"{', '.join(map(str, channels))} (of each phase)"


def smaller_than_paper(numbers: pd.DataFrame) -> list[str]:
    """The settings of Table II that differ from the paper's, as `name: ours (paper: theirs)`."""
    return [
        f"{row.setting}: {row.ours} (paper: {row.paper_value})"
        for row in rows_of(numbers)
        if row.ours != row.paper_value and not missing(row.ours)
    ]
