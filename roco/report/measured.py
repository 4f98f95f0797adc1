"""What was measured of each network of a study: its retrainings brought together, a row a network. No comparison."""

from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.collect import PLACE, RETRAINING, Study, rows_of
from roco.report.resampling import Array, group_of
from roco.report.statistics import Interval, in_words, network_interval
from roco.runtime import numpy_generator

ADVERSARIAL_SET = "adversarial_set"
TEST = "test"

# accuracies: of each retraining; accuracy: their mean.
MEASUREMENTS = [*PLACE, "key", "flops", "metric", "images", "accuracies", "retrainings", "accuracy"]


def measurements(study: Study) -> pd.DataFrame:
    """Every measured accuracy of every retrained network, one row each: MEASUREMENTS.

    `metric` is `test`, `adversarial_set` or a white-box attack's name; a network without images of a kind has no row.
    """
    return over_retrainings(of_retrainings(study), ["metric"])[MEASUREMENTS]


def of_retrainings(study: Study) -> pd.DataFrame:
    """The same of every retraining: its place, with training_seed, key, flops, metric, images, correct, accuracy."""
    place = [*RETRAINING, "key", "flops"]
    parts = [
        study.retrainings[[*place, f"{prefix}_images", f"{prefix}_correct"]]
        .rename(columns={f"{prefix}_images": "images", f"{prefix}_correct": "correct"})
        .assign(metric=metric)
        for metric, prefix in ((TEST, "test"), (ADVERSARIAL_SET, "adversarial"))
    ]
    attacked = study.attacks.rename(columns={"attack": "metric"})[[*RETRAINING, "key", "metric", "images", "correct"]]
    parts.append(attacked.merge(study.retrainings[[*RETRAINING, "flops"]]))
    table = pd.concat([part[[*place, "metric", "images", "correct"]] for part in parts], ignore_index=True)
    table = table[table["images"] > 0].reset_index(drop=True)
    accuracy = table["correct"].to_numpy(dtype=float) / table["images"].to_numpy(dtype=float)
    return table.assign(accuracy=accuracy)


def over_retrainings(table: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """A row for each network and value of the columns `of`, from a row for each of its retrainings.

    Args:
        table: with the columns of a retraining's place, `of`, `images`, `accuracy`, and others that are the same for
            all retrainings of a network.
        of: what is measured.

    Returns:
        The same columns without the training's seed; `accuracies`, a tuple by rising training seed, `accuracy` their
        mean, and `retrainings`, how many there are. In the order of the table.
    """
    ordered = table.sort_values("training_seed", kind="stable")
    accuracies = ordered.groupby([*PLACE, *of], sort=False)["accuracy"].agg(tuple).rename("accuracies").reset_index()
    first = table.drop_duplicates([*PLACE, *of]).drop(columns=["training_seed", "accuracy", "correct"], errors="ignore")
    found = first.merge(accuracies, on=[*PLACE, *of], how="left")
    means = [sum(values) / len(values) for values in found["accuracies"]]
    return found.assign(accuracy=means, retrainings=[len(values) for values in found["accuracies"]]).astype(
        {"accuracy": float, "retrainings": "Int64"}
    )


def several(config: StudyConfig) -> bool:
    """Whether networks are retrained more than once."""
    return len(config.retraining.seeds) > 1


def drawn_anew(config: StudyConfig, *units: str) -> str:
    """What intervals cover, in words: the units, retrainings where there are several, and test images."""
    return in_words([*units, *(["retrainings"] if several(config) else []), "test images"])


def groups_by_seed(values: pd.DataFrame, search: str) -> dict[int, Array]:
    """For each seed the networks of a search, as roco.report.resampling has them."""
    of_search = values[values["search"] == search]
    return {
        int(str(seed)): group_of([(row.accuracies, row.images) for row in rows_of(part)])
        for seed, part in of_search.groupby("seed")
    }


def interval_of(row: Any) -> Interval:
    """A network's value with its interval over test images and retrainings, from its row of `over_retrainings`."""
    generator = numpy_generator("report", "network", *row.accuracies)
    return network_interval(row.accuracies, int(row.images), generator)
