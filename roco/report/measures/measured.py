"""The measurements of retrained networks, over their retrainings: a row for each network. Nothing is compared."""

from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.errors import ArtifactError
from roco.report.numbers.shares import Array, Counts
from roco.report.numbers.statistics import Interval, in_words, network_interval
from roco.report.read.collect import PLACE, RETRAINING, Study

ADVERSARIAL_SET = "adversarial_set"
TEST = "test"
# The prefix of metrics that are the accuracy within a radius of the curve.
RADIUS = "radius_"
# accuracies: of each retraining; accuracy: their mean; sizes: images of each cluster; counts: how many images of each
# cluster each retraining has right, (retrainings, clusters).
MEASUREMENTS = [*PLACE, "key", "flops", "metric", "images", "sizes", "counts", "accuracies", "retrainings", "accuracy"]


def measurements(study: Study) -> pd.DataFrame:
    """Every measured accuracy of every retrained network, one row each: MEASUREMENTS.

    `metric` is `test`, `adversarial_set` or a white-box attack's name. There is no row if no images were measured.

    Raises:
        ArtifactError: retrainings of one network were measured on different images.
    """
    return over_retrainings(of_retrainings(study), ["metric"])[MEASUREMENTS]


def within_radius(study: Study, radius: float) -> pd.DataFrame:
    """The measurements for a radius of the curve, in 1/255, with the metric `radius_name`."""
    flops = study.retrainings[[*RETRAINING, "flops"]]
    of_radius = study.curves[study.curves["radius"] == radius].merge(flops).assign(metric=radius_name(radius))
    return over_retrainings(of_radius, ["metric"])[MEASUREMENTS]


def radius_name(radius: float) -> str:
    """The name of the metric that is the accuracy within a radius in 1/255."""
    return f"{RADIUS}{radius:g}"


def of_retrainings(study: Study) -> pd.DataFrame:
    """The measurements of every retraining: RETRAINING, key, flops, metric, images, sizes, correct, right, accuracy."""
    identity = [*RETRAINING, "key", "flops"]
    columns = ["metric", "images", "sizes", "correct", "right"]
    parts = [
        study.retrainings[[*identity, f"{prefix}_images", f"{prefix}_correct", f"{prefix}_right"]]
        .rename(columns={f"{prefix}_{name}": name for name in ("images", "correct", "right")})
        .assign(metric=metric, sizes=None if sizes is None else study.retrainings[sizes])
        for metric, prefix, sizes in ((TEST, "test", None), (ADVERSARIAL_SET, "adversarial", "adversarial_sizes"))
    ]
    attacked = study.attacks.rename(columns={"attack": "metric"})
    attacked = attacked[[*RETRAINING, "key", "metric", "images", "correct", "right"]].assign(sizes=None)
    parts.append(attacked.merge(study.retrainings[[*RETRAINING, "flops"]]))
    table = pd.concat([part[[*identity, *columns]].astype({"sizes": object}) for part in parts], ignore_index=True)
    table = table[table["images"] > 0].reset_index(drop=True)
    accuracy = table["correct"].to_numpy(dtype=float) / table["images"].to_numpy(dtype=float)
    return table.assign(accuracy=accuracy)


def over_retrainings(table: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """A row for each network and value of the columns `of`, from a row for each of its retrainings.

    Args:
        table: with the columns RETRAINING, `of`, `images`, `right`, `accuracy`, perhaps `sizes`, and columns that are
            equal for all retrainings of a network.
        of: the columns that name a measurement.

    Returns:
        The same columns without those of a single retraining; by rising training seed `counts`, an array `(retrainings,
        clusters)`, and `accuracies`, a tuple; `accuracy`, their mean; `retrainings`, their number; and `sizes`, the
        images of each cluster. In the order of the table.

    Raises:
        ArtifactError: retrainings of one network were measured on different images.
    """
    ordered = table.sort_values("training_seed", kind="stable").groupby([*PLACE, *of], sort=False)
    behind = ordered.agg(accuracies=("accuracy", tuple), counts=("right", list)).reset_index()
    behind = behind.assign(counts=pd.Series([_stacked(rights) for rights in behind["counts"]], dtype=object))
    of_one = ["training_seed", "accuracy", "correct", "right"]
    first = table.drop_duplicates([*PLACE, *of]).drop(columns=of_one, errors="ignore")
    networks = first.merge(behind, on=[*PLACE, *of], how="left")
    given = networks["sizes"] if "sizes" in networks else [None] * len(networks)
    sizes = [
        np.asarray(images, dtype=np.float64) if isinstance(images, np.ndarray) else np.ones(counts.shape[1])
        for images, counts in zip(given, networks["counts"], strict=True)
    ]
    means = [sum(values) / len(values) for values in networks["accuracies"]]
    retrainings = [len(values) for values in networks["accuracies"]]
    networks = networks.assign(accuracy=means, retrainings=retrainings, sizes=pd.Series(sizes, dtype=object))
    return networks.astype({"accuracy": float, "retrainings": "Int64"})


def _stacked(rights: list[Counts]) -> Counts:
    if len({len(right) for right in rights}) > 1:
        raise ArtifactError("robustness.json: trainings of a network were measured on different images; make them anew")
    return np.stack(rights)


def sizes_of(values: pd.DataFrame) -> Array:
    """The images of each cluster that all networks of one metric were measured on.

    Raises:
        ArtifactError: they were measured on different images.
    """
    every: list[Array] = list(values["sizes"])
    if any(not np.array_equal(sizes, every[0]) for sizes in every[1:]):
        metric = ", ".join(map(str, values["metric"].unique())) if "metric" in values else "the curve"
        raise ArtifactError(f"robustness.json: networks were measured on different images ({metric}); make them anew")
    return every[0] if every else np.ones(0)


def several(config: StudyConfig) -> bool:
    """Whether networks are retrained more than once."""
    return len(config.retraining.seeds) > 1


def drawn_anew(config: StudyConfig, *units: str) -> str:
    """What intervals cover, in words: the units, retrainings if there are several, and test images."""
    return in_words([*units, *(["retrainings"] if several(config) else []), "test images"])


def of_means(config: StudyConfig) -> str:
    """What the interval of a mean over a search's networks covers, in words."""
    if len(config.seeds) > 1:
        return "the seeds (Student's t) and the test images that all of them share"
    return f"{drawn_anew(config, 'networks')} of the one seed, and says nothing about another"


def groups_by_seed(values: pd.DataFrame, search: str) -> dict[int, list[Counts]]:
    """For each seed the networks of a search, each `(retrainings, clusters)`."""
    of_search = values[values["search"] == search]
    return {int(str(seed)): list(part["counts"]) for seed, part in of_search.groupby("seed")}


def interval_of(row: Any) -> Interval:
    """A network's value with its interval over test images and retrainings, from its row of `over_retrainings`."""
    return network_interval(row.counts, row.sizes)
