"""Accuracy on the adversarial test set given that the clean image is right, and compared with noise."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import lightest, roles_of
from roco.report.numbers.format import percent_interval, whole
from roco.report.numbers.over_seeds import OverSeeds, over_seeds_and_images
from roco.report.numbers.shares import Array
from roco.report.numbers.statistics import Interval
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content

SET_ACCURACY = ["search", "reference", "top", "quantity", "value", "low", "high", "basis", "seeds", "networks"]
# The columns in their order, by name.
ALL, GIVEN, NOISE, BEYOND = "all", "given_right", "noise_given_right", "lost_beyond_noise"
_TITLES = {
    ALL: "All images",
    GIVEN: "Clean image right",
    NOISE: "The same under noise",
    BEYOND: "Lost beyond noise",
}


def make(study: Study, config: StudyConfig) -> Content:
    """Accuracy on the adversarial test set of the N lightest networks of each search, beside accuracy under noise."""
    role, rows = roles_of(config), list[tuple[Any, ...]]()
    cells: list[tuple[str, ...]] = [("Search", "Networks", *_TITLES.values(), "Seeds", "In all")]
    pairs = [(name, "") for name in config.retrained_searches]
    pairs += [(name, role.reference) for name in role.others if role.reference in config.retrained_searches]
    networks = _networks(study)
    for search, reference in pairs:
        for top in config.report.top:
            chosen = lightest(networks, top)
            seeds = _by_seed(chosen, search), _by_seed(chosen, reference) if reference else None
            shares = {name: _over_seeds(name, *seeds) for name in _TITLES}
            if not shares[ALL].seeds:
                continue
            count = int((chosen["search"] == search).sum())
            rows += [
                (search, reference, top, name, *share.interval.bounds, share.interval.basis, share.seeds, count)
                for name, share in shares.items()
            ]
            shown = [
                percent_interval(*share.interval.bounds, sign=bool(reference) or name == BEYOND)
                for name, share in shares.items()
            ]
            label = f"{search} − {reference}" if reference else search
            cells.append((label, f"top-{top}", *shown, whole(shares[ALL].seeds), whole(count)))
    numbers = pd.DataFrame(rows, columns=SET_ACCURACY)
    return Content(numbers, tuple(cells), _notes(study))


def _networks(study: Study) -> pd.DataFrame:
    """A row for each network, with the `shares` of each of its retrainings."""
    network = ["search", "seed", "slot", "flops"]
    measured = study.retrainings[study.retrainings["adversarial_images"] > 0]
    table = measured[network].assign(
        shares=pd.Series(list(map(_shares, rows_of(measured))), measured.index, dtype=object)
    )
    return table.groupby(network, sort=False)["shares"].agg(list).reset_index()


def _shares(row: Any) -> dict[str, Array]:
    """The shares of one retraining by name, each as `_share` gives it."""
    columns = (row.adversarial_before, row.adversarial_sizes, row.adversarial_right, row.adversarial_noise_right)
    before, images, right, noise = (np.asarray(column, dtype=float) for column in columns)
    given, under_noise = _share(before * right, before * images), _share(before * noise, before * images)
    return {ALL: _share(right, images), GIVEN: given, NOISE: under_noise, BEYOND: under_noise - given}


def _share(right: Array, images: Array) -> Array:
    """A share of images, and how much each test image behind them moves it, `(1 + sources,)`.

    The sum of the squares of the movements is the variance of the share over test images drawn anew.

    Source: Cochran, Sampling Techniques, 1977, Section 9A.2 (cluster sampling, the ratio estimate).
    """
    if not images.sum():
        return np.array([math.nan, *np.zeros(len(images))])
    value, used = float(right.sum() / images.sum()), int((images > 0).sum())
    scale = np.sqrt(used / (used - 1)) if used > 1 else 1.0
    return np.array([value, *(scale * (right - value * images) / images.sum())])


def _by_seed(networks: pd.DataFrame, search: str) -> dict[int, dict[str, Array]]:
    """For each seed of a search its mean shares, over retrainings and then over networks."""
    means = {}
    for seed, part in networks[networks["search"] == search].groupby("seed", sort=True):
        means[int(str(seed))] = {
            name: _mean([_mean([training[name] for training in trainings]) for trainings in part["shares"]])
            for name in _TITLES
        }
    return means


def _mean(shares: Sequence[Array]) -> Array:
    """The mean of the shares that have a value; a network without a right clean image has none."""
    stacked = np.stack([share for share in shares if not math.isnan(share[0])] or shares)
    return np.array([stacked[:, 0].mean(), *stacked[:, 1:].mean(axis=0)])


def _over_seeds(name: str, ours: dict[int, dict[str, Array]], other: dict[int, dict[str, Array]] | None) -> OverSeeds:
    """A share over seeds, or the difference of two searches over the seeds that both have."""
    if other is None:
        shares = [of_seed[name] for of_seed in ours.values()]
    else:
        shares = [ours[seed][name] - other[seed][name] for seed in sorted(set(ours) & set(other))]
    estimate = over_seeds_and_images([float(share[0]) for share in shares], [share[1:] for share in shares])
    interval = estimate.interval
    if name == ALL:
        interval = Interval(interval.value, math.nan, math.nan, "in Table III")
    # A share lies in [0, 1]; losses and differences may lie below zero.
    elif other is None and name != BEYOND and not math.isnan(interval.low):
        interval = replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high))
    return OverSeeds(interval, estimate.seeds)


def _notes(study: Study) -> tuple[str, ...]:
    sources = max(map(len, study.retrainings["adversarial_sizes"]), default=0)
    return (
        "All images: Table III's accuracy, which has its interval. Clean image right: the share of the adversarial "
        "images that a network has right, of those whose clean image it has right; an image that is wrong before any "
        "change says nothing about robustness, and better networks have fewer of them. The same under noise: the share "
        "of the same clean images with random noise of the same budgets instead of the attack's change (pixels in "
        "corner colours, or every value moved by the threshold). Lost beyond noise: the second share minus the first, "
        "in points: the effect of the adversarial change beyond that of noise of its size.",
        "Rows with a minus: differences of two searches within a seed, in points; they are exploratory, and none is "
        "called resolved.",
        "Means over networks and retrainings within a seed, then over seeds. In parentheses the 95 % interval over "
        f"seeds (t) and over the {whole(sources)} test images that the set was made from, each with all images made "
        "from it; with one seed over these test images alone, for these networks.",
    )
