"""Every retrained network after the standard and after adversarial training."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.both_ways import Ways, both_ways
from roco.report.measures.compare import metric_title
from roco.report.numbers.format import NO_VALUE, millions, percent
from roco.report.read.collect import PLACE, Study, records_of
from roco.report.tables.retrained import network_name
from roco.report.tables.table import Content

WAYS = ("standard", "adversarial")


def make(study: Study, config: StudyConfig) -> Content:
    """A row for each network: its accuracies after both trainings."""
    ways, identity = Ways.of(study, config), [*PLACE, "key", "genome", "parameters", "flops"]
    header = ("Search", "Seed", "Network", "FLOPs, M")
    rows = [
        dict(zip(identity, network, strict=True))
        | {f"{row['metric']}_{way}": row[way] for row in records_of(part) for way in WAYS}
        for network, part in both_ways(ways).groupby(identity, sort=True)
    ]
    numbers = pd.DataFrame(rows, columns=[*identity, *(f"{name}_{way}" for name in ways.metrics for way in WAYS)])
    cells = [
        (
            str(row["search"]),
            str(row["seed"]),
            network_name(row),
            millions(row["flops"]),
            *(_pair([percent(row[f"{name}_{way}"]) for way in WAYS]) for name in ways.metrics),
        )
        for row in records_of(numbers)
    ]
    note = "Accuracies in %: after the standard training / after adversarial training; means over retrainings."
    return Content(numbers, ((*header, *map(metric_title, ways.metrics)), *cells), (note,))


def _pair(values: list[str]) -> str:
    return NO_VALUE if set(values) == {NO_VALUE} else " / ".join(values)
