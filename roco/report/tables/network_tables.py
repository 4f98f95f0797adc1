"""Table V (two networks of nearly equal FLOPs), the fronts of the searches, and a line for each search."""

from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.numbers.compare import attack_of, equal_flops_pairs, name_of, roles_of
from roco.report.page.paper import COMPARED_NETWORKS
from roco.report.read.collect import INITIAL, REFERENCES, Study, records_of, rows_of
from roco.report.read.measured import ADVERSARIAL_SET, TEST, drawn_anew, interval_of, measurements, several
from roco.report.tables.retrained_tables import HOW_FAR, distance_and_left, distances
from roco.report.tables.table import NO_VALUE, Table, millions, percent, percent_interval, whole
from roco.search.hypervolume import VOLUME_OBJECTIVES, hypervolumes

_SHARES = ("test", "adversarial_set", "pgd", "cw")
_COUNTS = ["parameters", "flops", "search_parameters", "search_flops", "retrainings"]
_BOUNDED = [f"{share}{end}" for share in _SHARES for end in ("", "_low", "_high")]
TABLE_5 = ["source", "search", "seed", "slot", "key", "genome", "channels", *_COUNTS, *_BOUNDED, "cw_median_l2"]


def compared_networks(study: Study, config: StudyConfig) -> Table:
    """Table V: for each seed the pair of networks, one of each search, whose FLOPs are closest.

    Pairs are chosen on FLOPs alone, and a network that both searches found is not paired with itself.
    """
    measured, far = measurements(study), distances(study, config)
    rows = [_network_row(network, measured, far, config, source) for source, network in _chosen(study, config)]
    rows += [
        {"source": "paper", "search": n.search, "genome": n.published_as, "parameters": n.parameters, "flops": n.flops}
        | {"pgd": n.pgd, "cw": n.cw}
        for n in COMPARED_NETWORKS
        if n.search in config.search.searches
    ]
    numbers = pd.DataFrame(rows, columns=TABLE_5)
    types = {
        **dict.fromkeys(["seed", "slot", *_COUNTS], "Int64"),
        **dict.fromkeys([*_BOUNDED, "cw_median_l2"], "float64"),
    }
    numbers = numbers.astype(types)
    header = (
        "Pair",
        "Search",
        "Network",
        "Parameters, M",
        "FLOPs, M",
        "Parameters / FLOPs in the search, M",
        "Test",
        "Adversarial set",
        "PGD",
        f"C&W{HOW_FAR}",
        *(["Retrainings"] if several(config) else []),
    )
    cells = [header, *(_shown(row, config) for row in records_of(numbers))]
    title = "Table V. Networks of nearly equal FLOPs; accuracies in %"
    return Table("table_5", title, numbers, tuple(cells), _notes(config))


def _chosen(study: Study, config: StudyConfig) -> list[tuple[str, dict[str, Any]]]:
    role, retrained = roles_of(config), study.retrained
    chosen: list[tuple[str, dict[str, Any]]] = []

    def of(search: str, seed: object, slot: object) -> dict[str, Any]:
        place = (retrained["search"] == search) & (retrained["seed"] == seed) & (retrained["slot"] == slot)
        return {str(k): v for k, v in retrained[place].iloc[0].to_dict().items()}

    if role.main is not None:
        pairs = equal_flops_pairs(study, role.main, role.reference, tolerance=None)
        for pair in rows_of(pairs[~pairs["same"].astype(bool)].groupby("seed", sort=True).head(1)):
            chosen.append((f"seed {pair.seed}", of(role.reference, pair.seed, pair.reference_slot)))
            chosen.append((f"seed {pair.seed}", of(role.main, pair.seed, pair.slot)))
    for network in records_of(retrained[retrained["search"] == REFERENCES]):
        chosen.append(("reference", {str(k): v for k, v in network.items()}))
    return chosen


def _network_row(
    network: dict[str, Any], measured: pd.DataFrame, far: pd.DataFrame, config: StudyConfig, source: str
) -> dict[str, Any]:
    row = {name: network.get(name) for name in TABLE_5 if name in network} | {"source": source}
    named = {
        "test": TEST,
        "adversarial_set": ADVERSARIAL_SET,
        "pgd": attack_of(config, "pgd"),
        "cw": attack_of(config, "cw"),
    }
    for found in rows_of(far[_is_of(far, network) & (far["metric"] == named["cw"])]):
        row["cw_median_l2"] = found.distance
    for name, metric in named.items():
        for found in rows_of(measured[_is_of(measured, network) & (measured["metric"] == metric)]):
            share = interval_of(found)
            row |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
            row["retrainings"] = found.retrainings
    return row


def _is_of(table: pd.DataFrame, network: dict[str, Any]) -> "pd.Series[bool]":
    return table[["search", "seed", "slot"]].eq([network[name] for name in ("search", "seed", "slot")]).all(axis=1)


def _shown(row: dict[str, Any], config: StudyConfig) -> tuple[str, ...]:
    digits = 2 if row["source"] == "paper" else 1
    shares = [
        percent(row[name], digits=digits)
        if digits == 2
        else percent_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])
        for name in _SHARES
        if name != "cw"
    ]
    shares.append(distance_and_left(row["cw_median_l2"], row["cw"], digits=digits))
    in_search = f"{millions(row['search_parameters'])} / {millions(row['search_flops'])}"
    cost = (millions(row["parameters"]), millions(row["flops"]), NO_VALUE if row["source"] == "paper" else in_search)
    name = name_of(str(row["genome"]))
    return (
        row["source"],
        row["search"],
        name if name != row["genome"] or row["source"] == "paper" else row["key"],
        *cost,
        *shares,
        *([whole(row["retrainings"])] if several(config) else []),
    )


def _notes(config: StudyConfig) -> tuple[str, ...]:
    return (
        "For each seed the two different networks, one of each search, whose FLOPs are closest; chosen on FLOPs alone. "
        f"In parentheses the 95 % interval over {drawn_anew(config)}."
        + ("" if several(config) else " One training is not a network: another one may differ by several points."),
        f"Parameters and FLOPs at the width of the accuracies ({config.width_in_words('retraining')}); "
        f"'in the search': parameters / FLOPs at {config.width_in_words('evaluation')}.",
        "C&W has no budget: how far it had to go comes first (the median length, L₂, over the images that were right "
        "before), and in parentheses the share that it left right, in %, its failure. The paper has only that.",
        "The paper's FLOPs are those of residual nodes at 16 initial channels. Its parameters and accuracies belong to "
        "other networks: the authors' code retrains dense nodes with 128 channels in each phase, and so made the two "
        "have 2.74 (baseline) and 2.60 M (roco) parameters by our count. Its attacks ran on normalised inputs: read "
        "its rows for their direction."
        + (
            " The rows called reference are given genomes under this study's protocol."
            if config.retraining.references
            else ""
        ),
    )


def fronts(study: Study, config: StudyConfig) -> Table:
    """The non-dominated networks of each search's last population, as the search saw them."""
    numbers = study.fronts[
        ["search", "seed", "position", "key", "genome", "error", "adversarial_error", "flops", "parameters"]
    ]
    values = [found or {} for found in study.fronts["further"]]
    others = list(dict.fromkeys(name for found in values for name in found))
    for name in others:
        numbers = numbers.assign(**{name: pd.Series([found.get(name) for found in values], dtype="float64")})
    header = ("Search", "Seed", "Network", "Genome", "Error, %", "Adversarial error, %", "FLOPs, M", "Parameters, M")
    cells = [(*header, *others)]
    for row, found in zip(rows_of(numbers), values, strict=True):
        errors = (percent(row.error), percent(row.adversarial_error))
        cost = (millions(row.flops), millions(row.parameters, digits=3))
        further = [f"{found[name]:.4g}" if name in found else NO_VALUE for name in others]
        cells.append((str(row.search), str(row.seed), str(row.key), str(row.genome), *errors, *cost, *further))
    notes = (
        f"Errors on validation images after {config.evaluation.training.epochs} epochs at "
        f"{config.width_in_words('evaluation')}; the adversarial error is on the validation set that the "
        "search used. By rising FLOPs.",
    )
    return Table("fronts", "Fronts of the searches", numbers, tuple(cells), notes)


SEARCHES = ["search", "seed", "method", "objectives", "evaluated", "failed", "front"]
SEARCHES += ["hypervolume_first", "hypervolume_last"]


def searches(study: Study, config: StudyConfig) -> Table:
    """What each search did: networks evaluated, failed, in the front, and its hypervolume at the start and the end."""
    volumes = hypervolumes(study.populations, VOLUME_OBJECTIVES)
    rows = []
    for name, kind in config.search.searches.items():
        for seed in config.seeds:
            of_seed = study.evaluations[study.evaluations["seed"] == seed]
            seen = of_seed[of_seed["search"].isin([name, INITIAL])].drop_duplicates("key")
            failed = int((seen["status"] == "failed").sum())
            front = int(((study.fronts["search"] == name) & (study.fronts["seed"] == seed)).sum())
            course = volumes[(volumes["search"] == name) & (volumes["seed"] == seed)]["hypervolume"].to_list()
            ends = (course[0], course[-1]) if course else (None, None)
            rows.append((name, seed, kind.method, " ".join(kind.objectives), len(seen), failed, front, *ends))
    numbers = pd.DataFrame(rows, columns=SEARCHES)
    cells = [
        (
            "Search",
            "Seed",
            "Method",
            "Objectives",
            "Evaluated",
            "Failed",
            "In the front",
            "Hypervolume, first",
            "Hypervolume, last",
        )
    ]
    for row in rows:
        share = tuple(NO_VALUE if value is None else f"{value:.4f}" for value in row[7:])
        cells.append((row[0], str(row[1]), row[2], row[3].replace(" ", ", "), *map(whole, row[4:7]), *share))
    notes = (
        "Evaluated: different networks that the search has seen, with the first population, "
        "which all searches of a seed share.",
        f"Hypervolume in {', '.join(VOLUME_OBJECTIVES)}, each scaled to the range that all searches together found, "
        "with the reference point at 1.1 in each, as a share of the box (larger is better); the same objectives for "
        "every search, whichever of them it minimised.",
    )
    return Table("searches", "The searches", numbers, tuple(cells), notes)
