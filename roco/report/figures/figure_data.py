"""The numbers behind each figure, one row a point; figures draw these and nothing else, and they go to CSV."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.compare import attack_of, lightest
from roco.report.numbers.relations import FEWEST, trend
from roco.report.numbers.statistics import hypervolumes
from roco.report.page.paper import PUBLISHED_NETWORKS
from roco.report.read.collect import INITIAL, REFERENCES, Study, rows_of
from roco.report.read.measured import TEST, interval_of, measurements
from roco.report.tables.retrained_tables import distances
from roco.runtime import numpy_generator

POINT = ["search", "seed", "slot", "key", "parameters", "flops", "metric", "accuracy", "low", "high", "retrainings"]
# What the hypervolume is measured in: what every search minimises, and that with the objective under study.
VOLUMES = (("error", "flops"), ("error", "adversarial_error", "flops"))


def _points(study: Study, metrics: Sequence[str]) -> pd.DataFrame:
    """Accuracies of retrained networks, with the interval over their images and retrainings."""
    measured = measurements(study)
    measured = measured[measured["metric"].isin(metrics)]
    shares = [interval_of(row) for row in rows_of(measured)]
    measured = measured.assign(low=[s.low for s in shares], high=[s.high for s in shares])
    parameters = study.retrained[["search", "seed", "slot", "parameters"]]
    return measured.merge(parameters, on=["search", "seed", "slot"])[POINT]


def accuracy_and_parameters(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 2: test accuracy and parameters; for CIFAR-10 also of networks that others published."""
    found = _points(study, [TEST]).assign(published="")
    if config.dataset.name != "cifar10":
        return found
    published = pd.DataFrame(
        [
            {
                "search": "",
                "published": n.name,
                "parameters": n.parameters,
                "metric": TEST,
                "accuracy": 1 - n.test_error,
            }
            for n in PUBLISHED_NETWORKS
        ],
        columns=found.columns,
    ).astype(found.dtypes)
    return pd.concat([found, published], ignore_index=True)


def cost_of_lightest(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figures 3 and 4: FLOPs and parameters of the N lightest retrained networks of each search."""
    parts = [lightest(study.retrained, count).assign(top=count) for count in config.report.top]
    return pd.concat(parts, ignore_index=True)[["top", "search", "seed", "slot", "key", "flops", "parameters"]]


# Where a trend is evaluated along its axis, and how wide its band may be.
_TREND_POINTS, _WIDEST_BAND = 25, 0.5


def with_trends(points: pd.DataFrame) -> pd.DataFrame:
    """The points and, for each search and metric, a trend of the accuracy in the logarithm of the FLOPs.

    `kind` is `network` for a point and `trend` for a place of a least-squares line with its 95 % band. A
    search with fewer than four networks, or with fewer than three different numbers of FLOPs, has no trend, nor has one
    whose band is somewhere wider than half of all accuracies: it would say nothing.
    """
    parts = [points.assign(kind="network")]
    for (search, metric), group in points[points["search"] != REFERENCES].groupby(["search", "metric"], sort=True):
        flops = group["flops"].to_numpy(dtype=float)
        if len(flops) < FEWEST or len(set(flops)) < 3 or flops.min() <= 0:
            continue
        places = np.linspace(np.log10(flops.min()), np.log10(flops.max()), _TREND_POINTS)
        generator = numpy_generator("report", "trend", str(search), str(metric))
        accuracy, seeds = group["accuracy"].to_list(), group["seed"].to_list()
        found = trend(np.log10(flops).tolist(), accuracy, seeds, at=places.tolist(), generator=generator)
        numbers = {name: np.clip(f, 0, 1) for name, f in zip(("accuracy", "low", "high"), found, strict=True)}
        if (numbers["high"] - numbers["low"]).max() > _WIDEST_BAND:
            continue
        line = pd.DataFrame({"search": search, "metric": metric, "flops": np.rint(10**places), **numbers})
        parts.append(line.assign(kind="trend").astype({"flops": "Int64"}))
    return pd.concat(parts, ignore_index=True)


def pgd_accuracy(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 5: accuracy under PGD and FLOPs of every retrained network, with trends."""
    name = attack_of(config, "pgd")
    return with_trends(_points(study, [] if name is None else [name]))


def other_attacks(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Figure 6: the same for the other white-box attacks.

    Of those without a budget there is no trend, and `distance` (the median L2 length of what they found, the mean over
    retrainings, with the smallest and largest in `distance_low` and `distance_high`) is what the figure shows.
    """
    names = other_attack_names(config)
    far = distances(study, config).rename(columns={"low": "distance_low", "high": "distance_high"})
    points = _points(study, names)
    unbounded = [name for name in names if not config.robustness.attacks[name].has_budget]
    trends = with_trends(points[~points["metric"].isin(unbounded)])
    found = pd.concat([trends, points[points["metric"].isin(unbounded)].assign(kind="network")], ignore_index=True)
    return found.merge(far, on=["search", "seed", "slot", "key", "metric"], how="left")


def other_attack_names(config: StudyConfig) -> list[str]:
    """The attacks of Figure 6: all but that of Figure 5."""
    return [name for name in config.robustness.attacks if name != attack_of(config, "pgd")]


def hypervolume_course(study: Study, config: StudyConfig) -> pd.DataFrame:
    """The hypervolume of each generation, in the objectives that all searches share and with the adversarial one."""
    del config
    parts = [hypervolumes(study.populations, names).assign(objectives=" ".join(names)) for names in VOLUMES]
    return pd.concat(parts, ignore_index=True)


NETWORK = ["search", "seed", "key", "genome", "generation", "last", "front"]
NETWORK += ["error", "adversarial_error", "flops", "parameters"]


def searched_networks(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Every network that a search evaluated, as the search saw it; failed trainings are left out.

    `generation` is the first in which the search evaluated it (0: the first population, which all searches of a seed
    share), `last` the last whose survivors hold it (missing where it never survived), `front` whether it is in the
    search's final front.
    """
    del config
    place = ["search", "seed"]
    searches = study.populations[place].drop_duplicates()
    own = study.evaluations.merge(searches, on=place)
    shared = study.evaluations[study.evaluations["search"] == INITIAL].drop(columns="search").merge(searches, on="seed")
    seen = pd.concat([shared, own], ignore_index=True)
    seen = seen[seen["status"] == "ok"].sort_values([*place, "generation", "flops", "key"], kind="stable")
    seen = seen.drop_duplicates([*place, "key"])
    last = study.populations.groupby([*place, "key"])["generation"].max().rename("last").reset_index()
    members = study.fronts[[*place, "key"]].assign(front=True)
    found = seen.merge(last, on=[*place, "key"], how="left").merge(members, on=[*place, "key"], how="left")
    return found.assign(front=found["front"].eq(True))[NETWORK].reset_index(drop=True)


def searches_in(data: pd.DataFrame, config: StudyConfig) -> list[str]:
    """The searches of the data in the order of the configuration, the references last."""
    present = set(data["search"])
    return [name for name in (*config.search.searches, REFERENCES) if name in present]
