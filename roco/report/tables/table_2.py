"""Table II: the settings of the search, the paper's beside them."""

from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.format import missing
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content
from roco.space.complexity import Channels


def make(study: Study, config: StudyConfig) -> Content:
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
    return Content(numbers, (header, *texts), notes)


def _widths(channels: Channels) -> int | str:
    """The channels of the first phase, or of each phase."""
    return channels if isinstance(channels, int) else f"{', '.join(map(str, channels))} (of each phase)"


def smaller_than_paper(numbers: pd.DataFrame) -> list[str]:
    """The settings of Table II that differ from the paper's, as `name: ours (paper: theirs)`."""
    return [
        f"{row.setting}: {row.ours} (paper: {row.paper_value})"
        for row in rows_of(numbers)
        if row.ours != row.paper_value and not missing(row.ours)
    ]
