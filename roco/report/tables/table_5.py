"""Table V: two networks of nearly equal FLOPs, one of each search."""

from typing import Any

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attack_of, equal_flops_pairs, name_of, roles_of
from roco.report.measures.distances import distances
from roco.report.measures.measured import ADVERSARIAL_SET, TEST, drawn_anew, interval_of, measurements, several
from roco.report.measures.paper import COMPARED_NETWORKS
from roco.report.numbers.format import NO_VALUE, millions, percent, percent_interval, whole
from roco.report.read.collect import REFERENCES, Study, records_of, rows_of
from roco.report.tables.retrained import HOW_FAR, distance_and_left
from roco.report.tables.table import Content

_SHARES = ("test", "adversarial_set", "pgd", "cw")
_COUNTS = ["parameters", "flops", "search_parameters", "search_flops", "retrainings"]
_BOUNDED = [f"{share}{end}" for share in _SHARES for end in ("", "_low", "_high")]
TABLE_5 = ["source", "search", "seed", "slot", "key", "genome", "channels", *_COUNTS, *_BOUNDED, "cw_median_l2"]


def make(study: Study, config: StudyConfig) -> Content:
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
    cost = ("Parameters, M", "FLOPs, M", "Parameters / FLOPs in the search, M")
    again = ["Retrainings"] if several(config) else []
    header = ("Pair", "Search", "Network", *cost, "Test", "Adversarial set", "PGD", f"C&W{HOW_FAR}", *again)
    cells = [header, *(_shown(row, config) for row in records_of(numbers))]
    return Content(numbers, tuple(cells), _notes(config))


def _chosen(study: Study, config: StudyConfig) -> list[tuple[str, dict[str, Any]]]:
    role, retrained = roles_of(config), study.retrained
    chosen: list[tuple[str, dict[str, Any]]] = []

    def of(search: str, seed: object, slot: object) -> dict[str, Any]:
        [network] = records_of(retrained[_is_of(retrained, {"search": search, "seed": seed, "slot": slot})])
        return network

    if role.main is not None:
        pairs = equal_flops_pairs(study, role.main, role.reference, tolerance=None)
        for pair in rows_of(pairs[~pairs["same"].astype(bool)].groupby("seed", sort=True).head(1)):
            chosen.append((f"seed {pair.seed}", of(role.reference, pair.seed, pair.reference_slot)))
            chosen.append((f"seed {pair.seed}", of(role.main, pair.seed, pair.slot)))
    references = records_of(retrained[retrained["search"] == REFERENCES])
    return [*chosen, *(("reference", network) for network in references)]


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
    for values in rows_of(far[_is_of(far, network) & (far["metric"] == named["cw"])]):
        row["cw_median_l2"] = values.distance
    for name, metric in named.items():
        for values in rows_of(measured[_is_of(measured, network) & (measured["metric"] == metric)]):
            share = interval_of(values)
            row |= {name: share.value, f"{name}_low": share.low, f"{name}_high": share.high}
            row["retrainings"] = values.retrainings
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
        + ("" if several(config) else " Another training of a network may differ by several points."),
        f"Parameters and FLOPs at the width of the accuracies ({config.width_in_words('retraining')}); "
        f"'in the search': parameters / FLOPs at {config.width_in_words('evaluation')}.",
        "C&W has no budget: first comes its distance (the median length, L₂, over the images that were right before), "
        "then in parentheses the share that it left right, in %, which is its failure. The paper has only this share.",
        "The paper's FLOPs are those of residual nodes at 16 initial channels. Its parameters and accuracies belong to "
        "other networks: the authors' code retrains dense nodes with 128 channels in each phase, with which the two "
        "have 2.74 (baseline) and 2.60 M (roco) parameters by our count. Its attacks ran on normalised inputs: only "
        "the direction of its rows means something."
        + (
            " The rows called reference are given genomes under this study's protocol."
            if config.retraining.references
            else ""
        ),
    )
