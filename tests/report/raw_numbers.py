"""The numbers of a made-up study again from its raw files, without roco: for tests to compare tables with."""

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

Training = dict[str, Any]


def raw(made: SimpleNamespace) -> dict[tuple[str, int, int], list[Training]]:
    """The successful trainings of each network, by search, seed and slot."""
    networks: dict[tuple[str, int, int], list[Training]] = defaultdict(list)
    for path in made.files.robustness:
        content = json.loads(Path(path).read_text())["content"]
        if content["status"] == "ok":
            networks[content["search"], content["seed"], content["slot"]].append(content)
    return networks


def trainings_of(made: SimpleNamespace) -> list[Training]:
    """All of them."""
    return [training for network in raw(made).values() for training in network]


def of_seed(made: SimpleNamespace, search: str, seed: int) -> list[list[Training]]:
    """The networks of a search and seed."""
    return [found for (name, number, _), found in sorted(raw(made).items()) if (name, number) == (search, seed)]


def lightest(made: SimpleNamespace, search: str, seed: int, count: int) -> list[list[Training]]:
    return sorted(of_seed(made, search, seed), key=lambda trainings: trainings[0]["flops"])[:count]


def accuracy(training: Training, metric: str) -> float:
    if metric in ("test", "adversarial_set"):
        return 1 - training["test_error" if metric == "test" else "adversarial_error"]
    return float(training["white_box"]["attacks"][metric]["accuracy"])


def value(trainings: list[Training], metric: str) -> float:
    return mean(accuracy(training, metric) for training in trainings)


def mean_of_seeds(made: SimpleNamespace, search: str, of_training: Callable[[Training], float]) -> float:
    """The mean over seeds of the mean over networks of the mean over retrainings."""
    seeds = [of_seed(made, search, seed) for seed in made.config.seeds]
    return mean(mean(mean(map(of_training, network)) for network in networks) for networks in seeds if networks)
