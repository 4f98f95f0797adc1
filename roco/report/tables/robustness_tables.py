"""How far the robustness of the networks goes: accuracy against radius, smallest perturbations, sanity flags."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.style import legend, looks, new_figure, say_empty
from roco.report.numbers.compare import mean_accuracy
from roco.report.numbers.perturbation_statistics import mean_of_medians
from roco.report.numbers.statistics import Interval
from roco.report.read.collect import PLACE, REFERENCES, Study, records_of, rows_of
from roco.report.read.measured import drawn_anew, of_means, over_retrainings, several
from roco.report.tables.table import NO_VALUE, Table, percent_interval

CURVE_TITLE = "Accuracy against radius"
CURVE_CAPTION = (
    "The share of test images that no attack fools within an L∞ radius, worst case over all attacks for each image; "
    "mean over the networks of a search. Bands: 95 % intervals over seeds (Student's t; of one seed over its networks) "
    "and the test images that all share. At 0 the accuracy on the same images without an attack."
)
CURVE = ["search", "radius", "accuracy", "low", "high", "basis", "seeds", "networks", "retrainings", "images"]
SMALLEST = ["search", "seed", "slot", "key", "norm", "median", "low", "high", "basis", "networks", "images", "unbroken"]
SMALLEST += ["retrainings"]
FLAGS = ["search", "seed", "slot", "training_seed", "key", "flag", "raised", "detail"]

# What a flag says when it is raised.
MEANINGS = {
    "more_steps": "more steps help the defender",
    "large_radius": "images hold where none should",
    "gradient_free": "an attack without gradients beats those with them",
    "transfer": "images made for other networks beat white-box attacks",
    "noise": "noise does as much as an attack",
    "restarts": "restarts change much",
    "autoattack": "AutoAttack finds much more than PGD",
    "without_budget": "an attack fails although it has no budget",
    "batches": "results depend on the batch",
    "zero_gradients": "there are no gradients to follow",
    "not_finite": "numbers that are not finite, or broken budgets",
}
NORMS = {"l2": "L₂", "linf": "L∞, 1/255"}


def searches_of(data: pd.DataFrame, config: StudyConfig) -> list[str]:
    """The searches of a frame in the order of the configuration, the references last."""
    present = set(data["search"])
    return [name for name in (*config.search.searches, REFERENCES) if name in present]


def curves(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Mean accuracy of each search's networks at each radius, in 1/255: CURVE."""
    rows, measured = [], over_retrainings(study.curves, ["radius"])
    for search in searches_of(measured, config):
        of_search = measured[measured["search"] == search]
        for radius in sorted(of_search["radius"].unique()):
            part = of_search[of_search["radius"] == radius]
            found = mean_accuracy(part, search)
            counts = (part["seed"].nunique(), len(part), int(part["retrainings"].sum()), int(part["images"].max()))
            rows.append((search, float(radius), found.value, found.low, found.high, found.basis, *counts))
    return pd.DataFrame(rows, columns=CURVE)


def curve_table(study: Study, config: StudyConfig) -> Table:
    """Accuracy against radius of each search, one column a radius."""
    numbers = curves(study, config)
    radii = sorted(numbers["radius"].unique())
    cells = [("Search", *("clean" if radius == 0 else f"{radius:g}/255" for radius in radii), "Networks")]
    again = several(config)
    cells = [(*cells[0], "Retrainings")] if again else cells
    for search in searches_of(numbers, config):
        of_search = numbers[numbers["search"] == search].set_index("radius")
        found = {radius: of_search.loc[radius, ["accuracy", "low", "high"]] for radius in of_search.index}
        shown = [percent_interval(*found[radius]) if radius in found else NO_VALUE for radius in radii]
        behind = [str(int(of_search[name].max())) for name in ("networks", *(["retrainings"] if again else []))]
        cells.append((search, *shown, *behind))
    notes = (
        "The share of the attacked test images, in %, that no attack of this study fools within an L∞ radius: the "
        f"worst case for each image. Mean over the networks of a search; the 95 % interval is over {of_means(config)}.",
        "No network was trained to resist attacks; at 8/255 such networks usually have nothing left.",
    )
    return Table("robustness_curve", CURVE_TITLE, numbers, tuple(cells), notes)


def draw_curves(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A line a search with its band."""
    figure, [axis] = new_figure()
    known, searches = looks(list(config.search.searches)), searches_of(data, config)
    for search in searches:
        look, part = known[search], data[data["search"] == search]
        value, low, high = (100 * part[name].to_numpy(dtype=float) for name in ("accuracy", "low", "high"))
        radius = part["radius"].to_numpy(dtype=float)
        axis.fill_between(radius, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axis.plot(radius, value, look.marker, ls="-", color=look.colour, markersize=4.5, linewidth=1.6)
    if searches:
        axis.set_ylim(0, 100)
    else:
        say_empty(axis, "no radii were searched")
    axis.set(xlabel="L∞ radius (1/255)", ylabel="Images that hold (%)")
    legend(figure, [known[search] for search in searches])
    return figure


def smallest_table(study: Study, config: StudyConfig) -> Table:
    """The median smallest perturbation of each search's networks, and of each network."""
    rows: list[tuple[Any, ...]] = []
    for search in searches_of(study.perturbations, config):
        of_search = study.perturbations[study.perturbations["search"] == search]
        for norm in NORMS:
            rows.append((search, None, None, None, norm, *_smallest(of_search[of_search["norm"] == norm], search)))
    for _, part in study.perturbations.groupby([*PLACE, "norm"], sort=False):
        row = rows_of(part)[0]
        rows.append((row.search, row.seed, row.slot, row.key, row.norm, *_smallest(part, f"{row.search} {row.key}")))
    numbers = pd.DataFrame(rows, columns=SMALLEST)
    again = ["Retrainings"] if several(config) else []
    cells = [("Search", "Seed", "Network", *NORMS.values(), "Unbroken", *again)]
    places = list(dict.fromkeys((row[0], row[1], row[2], row[3]) for row in rows))
    for place in places:
        shown = {row[4]: row for row in rows if row[:4] == place}
        search, seed, _, key = place
        name = "mean of all" if key is None else str(key)
        values = [_length(*shown[norm][5:8], scale=255 if norm == "linf" else 1) for norm in NORMS]
        unbroken = str(max(row[11] for row in shown.values()))
        trained = [str(max(row[12] for row in shown.values()))] if again else []
        cells.append((search, "" if seed is None else str(seed), name, *values, unbroken, *trained))
    notes = (
        "The median over the attacked test images that were right to begin with of the smallest perturbation that any "
        f"attack of this study found, with 95 % intervals over {drawn_anew(config)}; for all networks of a search the "
        f"mean of their medians, whose interval is over {of_means(config)}. Upper bounds: attacks may come nearer."
        + (" A network's median is the mean of those of its retrainings." if again else ""),
        "L₂ is the length of the change in [0, 1] units over all pixels. Unbroken: images that nothing fooled; they "
        "count as infinitely far." + (" Counted for each retraining." if again else ""),
    )
    return Table("smallest_perturbations", "Median smallest perturbations", numbers, tuple(cells), notes)


def _smallest(part: pd.DataFrame, purpose: str) -> tuple[Any, ...]:
    groups = [
        [
            # An image that was wrong from the start is at no distance.
            [np.array([one for one in distances if one], dtype=np.float64) for distances in network["distances"]]
            for _, network in of_seed.groupby("slot")
        ]
        for _, of_seed in part.groupby("seed")
    ]
    everything = [distances for group in groups for network in group for distances in network]
    norm = str(part["norm"].iloc[0]) if len(part) else ""
    found: Interval = mean_of_medians(groups, purpose=f"{purpose} {norm}")
    images = max(map(len, everything), default=0)
    unbroken = sum(int(np.isinf(distances).sum()) for distances in everything)
    return (found.value, found.low, found.high, found.basis, sum(map(len, groups)), images, unbroken, len(part))


def _length(value: float, low: float, high: float, *, scale: float) -> str:
    if np.isnan(value):
        return NO_VALUE
    texts = [f"{scale * one:.3g}" if np.isfinite(one) else "∞" for one in (value, low, high)]
    return f"{texts[0]} ({texts[1]}–{texts[2]})"


def flags_table(study: Study, config: StudyConfig) -> Table:
    """Raised flags first, each with its network and numbers; then how many networks each flag was not raised on."""
    order = {name: place for place, name in enumerate(MEANINGS)}
    numbers = study.flags[FLAGS].assign(order=[order.get(name, len(order)) for name in study.flags["flag"]])
    numbers = numbers.sort_values(["raised", "order"], ascending=[False, True], kind="stable")[FLAGS]
    raised = numbers[numbers["raised"]]
    unit = "retraining" if several(config) else "network"
    again = ["Training seed"] if several(config) else []
    cells: list[Sequence[str]] = [("Flag", "State", "Search", "Seed", "Network", *again, "Numbers")]
    for row in records_of(raised):
        place = (str(row["search"]), str(row["seed"]), str(row["key"]))
        trained = [str(row["training_seed"])] if again else []
        cells.append((_meaning(row["flag"]), "RAISED", *place, *trained, str(row["detail"])))
    for name in dict.fromkeys(numbers["flag"]):
        quiet = int(((numbers["flag"] == name) & ~numbers["raised"]).sum())
        if quiet:
            count = f"{quiet} {unit}{'s' if quiet > 1 else ''}"
            cells.append((_meaning(name), "not raised", "", "", count, *[""] * len(again), ""))
    networks = len(raised[["search", "seed", "slot"]].drop_duplicates())
    places = f"{networks} network{'' if networks == 1 else 's'}"
    notes = (
        f"{len(raised)} of {len(numbers)} flags are raised, on {places}. A raised "
        "flag says that attacks may fail for reasons of their own, and that the accuracies under them are not to be "
        "trusted as they stand.",
        "After Carlini et al., On Evaluating Adversarial Robustness, 2019. What each compares, and how much is taken "
        "for chance, is in docs/explanation/robustness.md.",
    )
    return Table("flags", "Sanity flags of the white-box attacks", numbers, tuple(map(tuple, cells)), notes)


def _meaning(flag: object) -> str:
    name = str(flag)
    return f"{name.replace('_', ' ')}: {MEANINGS[name]}" if name in MEANINGS else name
