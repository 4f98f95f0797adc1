"""The networks that the page has a section for: what the tables of fronts and of retrainings have of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attacks_without_budget, metrics
from roco.report.numbers.format import missing
from roco.report.read.collect import REFERENCES, RETRAINING, records_of
from roco.report.tables.retrained import AT_RADIUS, DISTANCE
from roco.study.files import STANDARD, File


@dataclass(frozen=True)
class FrontNetwork:
    """A network of a front, as its search saw it."""

    search: str
    seed: int
    error: float
    adversarial_error: float
    flops: int
    parameters: int

    @property
    def found_by(self) -> str:
        """The search and the seed."""
        return f"{self.search} seed {self.seed}"


@dataclass(frozen=True)
class Retraining:
    """A retraining of a network.

    Attributes:
        search: the search that found it, or the references.
        seed: of the search.
        slot: of the network among the retrained ones of its front.
        training_seed: of this training.
        failure: why it failed, None where it did not.
        flops: at the width of the retraining.
        parameters: at the same width.
        measured: accuracies by metric, and distances of attacks without a budget by their column; no missing ones.
        curve: accuracies by the radius as text, in rising order.
    """

    search: str
    seed: int
    slot: int
    training_seed: int
    failure: str | None
    flops: int | None
    parameters: int | None
    measured: Mapping[str, float]
    curve: Mapping[str, float]

    @property
    def found_by(self) -> str:
        """The search and the seed."""
        return self.search if self.search == REFERENCES else f"{self.search} seed {self.seed}"

    @property
    def weights(self) -> str:
        """Its weights file, from the page's folder."""
        return File.RETRAINED_NETWORK.at(retrained=STANDARD, **{name: getattr(self, name) for name in RETRAINING})


def front_networks(fronts: pd.DataFrame) -> list[FrontNetwork]:
    """The rows of the table of fronts."""
    names = [field.name for field in fields(FrontNetwork)]
    return [FrontNetwork(**row) for row in records_of(fronts[names])]


def retrainings_in(numbers: pd.DataFrame, config: StudyConfig) -> list[Retraining]:
    """The rows of the table of retrainings."""
    distances = [f"{metric}{DISTANCE}" for metric in attacks_without_budget(config)]
    radii = [name for name in map(str, numbers) if name.startswith(AT_RADIUS)]

    def present(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, float]:
        return {name.removeprefix(AT_RADIUS): float(row[name]) for name in names if not missing(row.get(name))}

    return [
        Retraining(
            **{name: row[name] for name in RETRAINING},
            failure=None if row["status"] == "ok" else str(row["reason"]),
            flops=row["flops"],
            parameters=row["parameters"],
            measured=present(row, [*metrics(config), *distances]),
            curve=present(row, radii),
        )
        for row in records_of(numbers)
    ]
