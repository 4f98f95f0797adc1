"""Reads the user's copies of benchmarks of robust architectures; no licence allows us to ship them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from roco.errors import ArtifactError, in_one_line
from roco.files import opened
from roco.storage.records import Frozen

# Budgets in 1/255: a small one, at which networks without adversarial training differ, and the usual budget.
BUDGETS = (1.0, 8.0)
STANDARD, ADVERSARIAL = "standard", "adversarial"
# Our methods by the names of Jung et al.
_JUNG = {"fgsm@Linf": "fgsm", "pgd@Linf": "pgd", "aa_apgd-ce@Linf": "apgd_ce", "aa_square@Linf": "square"}
_ROBBENCH = re.compile(r"val_(fgsm|pgd)_([0-9.]+)_acc")


class AttackedNetwork(Frozen):
    """A network of a benchmark under an attack.

    Attributes:
        training: standard, or adversarial at 8/255.
        data_set: by the benchmark's name.
        network: its number in NAS-Bench-201.
        method: of the attack, by our name.
        eps: of the attack, in 1/255.
        clean: accuracy without an attack, in [0, 1].
        robust: accuracy under the attack, in [0, 1].
    """

    benchmark: str
    training: str
    data_set: str
    network: str
    method: str
    eps: float
    clean: float
    robust: float


def networks_of_others(path: str | Path) -> Iterator[AttackedNetwork]:
    """The networks of a benchmark under its attacks, on each of its data sets.

    Args:
        path: the folder of Jung et al. (ICLR 2023, `meta.json` beside `cifar10/pgd@Linf_accuracy.json` and others), or
            the file of NAS-RobBench-201 (Wu et al., ICLR 2024, `NAS-RobBench-201_all.json`).

    Raises:
        ArtifactError: it is no such benchmark, or it is damaged.
    """
    path = Path(path)
    try:
        yield from _of_folder(path) if path.is_dir() else _of_file(path)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ValidationError) as error:
        reason = in_one_line(f"{type(error).__name__}: {error}", 100)
        raise ArtifactError(f"{path}: not one of the benchmarks that report.benchmarks can name ({reason})") from None


def _of_folder(folder: Path) -> Iterator[AttackedNetwork]:
    """NAS-Bench-201 under the attacks of Jung et al.: 6,466 different networks, trained without adversarial images."""
    meta = _json(folder / "meta.json")
    different = [network for network, facts in meta["ids"].items() if facts["isomorph"] == network]
    for path in sorted(folder.glob("*/clean_accuracy.json")):
        data_set = path.parent.name
        clean = _json(path)[data_set]["clean"]["accuracy"]
        for theirs, method in _JUNG.items():
            attacked, budgets = path.with_name(f"{theirs}_accuracy.json"), meta["epsilons"].get(theirs, [])
            if not attacked.is_file():
                continue
            accuracies = _json(attacked)[data_set][theirs]["accuracy"]
            for eps in (eps for eps in BUDGETS if eps in budgets):
                for network in different:
                    yield AttackedNetwork(
                        benchmark="NAS-Bench-201",
                        training=STANDARD,
                        data_set=data_set,
                        network=network,
                        method=method,
                        eps=eps,
                        clean=clean[network],
                        robust=accuracies[network][budgets.index(eps)],
                    )


def _of_file(path: Path) -> Iterator[AttackedNetwork]:
    """NAS-RobBench-201: the same networks, trained by PGD at 8/255."""
    for data_set, networks in _json(path).items():
        for network, facts in networks.items():
            clean = _mean(facts["val_acc"])
            for metric, values in facts.items():
                match = _ROBBENCH.fullmatch(metric)
                if match or metric == "autoattack":
                    method, eps = (match[1], float(match[2])) if match else ("autoattack", 8.0)
                    yield AttackedNetwork(
                        benchmark="NAS-RobBench-201",
                        training=ADVERSARIAL,
                        data_set=data_set,
                        network=network,
                        method=method,
                        eps=eps,
                        clean=clean,
                        robust=_mean(values),
                    )


def _mean(values: Any) -> float:
    """An accuracy, or the mean over training seeds: the benchmark's own mean if it has one."""
    if not isinstance(values, Mapping):
        return float(values)
    if "threeseed" in values:
        return float(values["threeseed"])
    return sum(map(float, values.values())) / len(values)


def _json(path: Path) -> Any:
    with opened(path) as file:
        return json.load(file)
