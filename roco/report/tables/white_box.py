"""Every retrained network under every white-box attack."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attacks_without_budget, metrics
from roco.report.measures.distances import distances
from roco.report.measures.measured import measurements, over_retrainings, several
from roco.report.numbers.format import NO_VALUE, millions, percent, whole
from roco.report.read.collect import PLACE, Study, records_of, rows_of
from roco.report.tables.retrained import (
    DISTANCE,
    IDENTITY,
    WITHOUT_BUDGET,
    accuracies,
    distance_and_left,
    headings,
    network_name,
    number_columns,
)
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """Every retrained network: cost, accuracy on test images and adversarial set, and under each white-box attack."""
    again = several(config)
    curves = over_retrainings(study.curves, ["radius"])
    values = accuracies(measurements(study), curves, distances(study, config), PLACE)
    networks = pd.DataFrame([_network(part, config) for _, part in study.networks.groupby(PLACE, sort=True)])
    kept = [*PLACE, "status", "reason", "retrainings", *IDENTITY]
    columns = number_columns(kept, networks, study, config)
    numbers = (networks.merge(values, on=PLACE, how="left") if len(networks) else networks).reindex(columns=columns)
    cost = ("Parameters, M", "FLOPs, M")
    header = (
        "Search",
        "Seed",
        "Network",
        *cost,
        *headings(config, attacks_without_budget(config)),
        *(["Retrainings"] if again else []),
    )
    notes = [
        "Accuracies in %: the share of test images that the network still classifies correctly under each attack, by "
        "our own classification of the attack's images; settings are in the configuration below. The CSV file also has "
        "each network's accuracy against the radius.",
        *([WITHOUT_BUDGET] if attacks_without_budget(config) else []),
        _images_seen(study),
        *(["Means over retrainings; another table shows how far these differ."] if again else []),
    ]
    cells = (header, *(_shown(row, config) for row in records_of(numbers)))
    return Content(numbers, cells, tuple(notes))


def _images_seen(study: Study) -> str:
    """The number of images that the attacks see, and the width of the intervals that this implies."""
    counts = sorted(set(study.attacks["images"]))
    names = [sorted(set(study.attacks.loc[study.attacks["images"] == count, "attack"])) for count in counts]
    parts = [
        whole(count) + (f" ({', '.join(attacks)})" if len(counts) > 1 else "")
        for count, attacks in zip(counts, names, strict=True)
    ]
    fewest = percent(0.98 / counts[0] ** 0.5) if parts else NO_VALUE
    return (
        f"White-box attacks see {' or '.join(parts) or 'no'} test images: a 95 % interval of about ±{fewest} points "
        f"at 50 %{', for the fewest of them' if len(parts) > 1 else ''}."
    )


def _network(part: pd.DataFrame, config: StudyConfig) -> dict[str, Any]:
    """A network's position, genome, cost and number of retrainings, and why other retrainings failed."""
    succeeded, failed = part[part["status"] == "ok"], part[part["status"] != "ok"]
    reasons = [f"training seed {row.training_seed}: {row.reason}" for row in rows_of(failed)]
    reason = "; ".join(reasons if several(config) else failed["reason"]) or None
    state = {"status": "ok" if len(succeeded) else "failed", "reason": reason, "retrainings": len(succeeded)}
    first = records_of(succeeded if len(succeeded) else part)[0]
    return {name: first[name] for name in (*PLACE, *IDENTITY)} | state


def _shown(row: Mapping[str, Any], config: StudyConfig) -> tuple[str, ...]:
    network = network_name(row)
    if row["status"] != "ok":
        network = f"{network}, failed: {row['reason']}"
    elif row["retrainings"] < len(config.retraining.seeds):
        network = f"{network}, in part failed: {row['reason']}"
    shown = [
        distance_and_left(row[f"{metric}{DISTANCE}"], row[metric])
        if metric in attacks_without_budget(config)
        else percent(row[metric])
        for metric in metrics(config)
    ]
    cost = (millions(row["parameters"]), millions(row["flops"]))
    trained = [whole(row["retrainings"])] if several(config) else []
    return (str(row["search"]), str(row["seed"]), network, *cost, *shown, *trained)
