"""Reads published benchmarks of robust architectures that the user has: neither is shipped, as no licence says it may.

Each gives rows with the columns BENCHMARKS (roco.report.read.columns); fractions are in [0, 1].
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roco.errors import ArtifactError
from roco.files import opened

NAS_BENCH_201, NAS_ROBBENCH_201 = "NAS-Bench-201", "NAS-RobBench-201"
# Budgets in 1/255: where networks without adversarial training differ, and the usual one.
BUDGETS = (1.0, 8.0)
# Our methods by the names of Jung et al., and the step-free names of NAS-RobBench-201.
_JUNG = {"fgsm@Linf": "fgsm", "pgd@Linf": "pgd", "aa_apgd-ce@Linf": "apgd_ce", "aa_square@Linf": "square"}
_ROBBENCH = re.compile(r"val_(fgsm|pgd)_([0-9.]+)_acc")

Row = dict[str, object]


def benchmark_rows(path: str | Path) -> Iterator[Row]:
    """The networks of a benchmark with their accuracies, on each data set that it has.

    Args:
        path: the folder of Jung et al. (ICLR 2023, `meta.json` beside `cifar10/pgd@Linf_accuracy.json` and others), or
            the file of NAS-RobBench-201 (Wu et al., ICLR 2024, `NAS-RobBench-201_all.json`).

    Raises:
        ArtifactError: it is no such benchmark, or is damaged.
    """
    path = Path(path)
    try:
        yield from _of_folder(path) if path.is_dir() else _of_file(path)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        raise ArtifactError(f"{path}: not one of the benchmarks that report.benchmarks can name ({told})") from None


def _of_folder(folder: Path) -> Iterator[Row]:
    """NAS-Bench-201 as Jung et al. attacked it: 6,466 different networks, trained without adversarial images."""
    meta = _json(folder / "meta.json")
    different = [network for network, facts in meta["ids"].items() if facts["isomorph"] == network]
    for path in sorted(folder.glob("*/clean_accuracy.json")):
        yield from _of_data_set(path.parent, meta["epsilons"], different)


def _of_data_set(folder: Path, epsilons: Mapping[str, list[float]], different: list[str]) -> Iterator[Row]:
    data_set = folder.name
    clean = _json(folder / "clean_accuracy.json")[data_set]["clean"]["accuracy"]
    for theirs, method in _JUNG.items():
        path, budgets = folder / f"{theirs}_accuracy.json", epsilons.get(theirs, [])
        if not path.is_file():
            continue
        accuracies = _json(path)[data_set][theirs]["accuracy"]
        for budget in (budget for budget in BUDGETS if budget in budgets):
            column = budgets.index(budget)
            for network in different:
                row = _row(NAS_BENCH_201, "standard", data_set, network) | {"method": method, "eps": budget}
                yield row | {"clean": float(clean[network]), "robust": float(accuracies[network][column])}


def _of_file(path: Path) -> Iterator[Row]:
    """NAS-RobBench-201: the same networks, trained by PGD at 8/255."""
    for data_set, networks in _json(path).items():
        for network, facts in networks.items():
            row = _row(NAS_ROBBENCH_201, "adversarial", data_set, network) | {"clean": _mean(facts["val_acc"])}
            for metric, values in facts.items():
                match = _ROBBENCH.fullmatch(metric)
                if match or metric == "autoattack":
                    method, budget = (match[1], float(match[2])) if match else ("autoattack", 8.0)
                    yield row | {"method": method, "eps": budget, "robust": _mean(values)}


def _row(benchmark: str, training: str, data_set: str, network: str) -> Row:
    return {"benchmark": benchmark, "training": training, "data_set": data_set, "network": network}


def _mean(values: Any) -> float:
    """An accuracy, or the mean over training seeds; their own mean where it is among them."""
    if not isinstance(values, Mapping):
        return float(values)
    if "threeseed" in values:
        return float(values["threeseed"])
    return sum(map(float, values.values())) / len(values)


def _json(path: Path) -> Any:
    with opened(path) as file:
        return json.load(file)
