"""The networks of a front, trained at length and at full width (paper, Section IV), one or more times each.

Run as `python -m roco.retraining.fronts` it is a process that trains one of them, where a CPU trains several at once.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from roco.errors import RocoError
from roco.networks.files import KIND, describe_genome, save_network
from roco.runtime import (
    Device,
    configure_logging,
    leave,
    pause_collection,
    progress,
    resolve_device,
    seed_from,
    versions,
)
from roco.search.population import Individual, read_front
from roco.settings import Recipe
from roco.space.complexity import Channels, NodeKind, complexity
from roco.space.genome import Genome
from roco.storage.store import Store
from roco.training.stored import Fit, Request, fit_all

log = logging.getLogger("roco")


@dataclass(frozen=True)
class RetrainingSettings:
    """What decides a retrained network but its genome and its seed: fields of the configuration's `retraining`."""

    channels: Channels
    training: dict[str, Any]
    validation_images_too: bool
    stem_padding: int
    node: NodeKind = "residual"


@dataclass(frozen=True)
class Retraining:
    """A training of a network of a front.

    Attributes:
        individual: the network.
        seed: of this training: of initial weights, together with the genome's key, and of order and augmentation.
        network_path: where the trained network goes.
    """

    individual: Individual
    seed: int
    network_path: Path

    def request(self, settings: RetrainingSettings, *, classes: int) -> Request:
        """The training behind it; all networks with one seed see the same order and augmentation."""
        description = describe_genome(
            Genome.parse(self.individual.genome),
            channels=settings.channels,
            classes=classes,
            stem_padding=settings.stem_padding,
            node=settings.node,
        )
        weights_seed = seed_from("retraining weights", self.seed, self.individual.key)
        return Request(description, weights_seed, seed_from("retraining order", self.seed))


def occupants(front_path: str | Path, *, slots: int, made_for: Mapping[str, Any] | None = None) -> list[Individual]:
    """The networks of a front, the lightest first, at most `slots`; `made_for` is what the front has to say."""
    return read_front(front_path, made_for)[:slots]


def retrain(
    retrainings: Sequence[Retraining],
    settings: RetrainingSettings,
    *,
    dataset_path: str | Path,
    device: Device,
    store: Store,
    processes: int = 1,
    largest_stack: int = 1,
    log_file: str | None = None,
) -> list[dict[str, Any]]:
    """Trains networks and writes them; a training that fails gives a network file without weights.

    Differs from the paper: the weights of the last epoch count; the authors kept those that were best on test images.

    Args:
        retrainings: what to train.
        settings: how.
        dataset_path: of dataset.h5.
        device: auto, cpu or cuda.
        store: where finished trainings are looked up and kept.
        processes: how many train at once on a CPU.
        largest_stack: how many networks a GPU trains as one at most.
        log_file: where processes log; stderr, if not given.

    Returns:
        For each: status, genome, key, FLOPs and parameters at the search's width and at this one, losses, seconds.

    Raises:
        RocoError: a process ended without an answer.
    """
    if resolve_device(device) == "cpu" and min(processes, len(retrainings)) > 1:
        request = {"settings": asdict(settings), "dataset_path": str(dataset_path), "store": str(store.root)}
        with ThreadPoolExecutor(min(processes, len(retrainings))) as pool:
            return list(pool.map(lambda each: _in_a_process(each, request, log_file), retrainings))
    records = dict(_retrained(retrainings, settings, dataset_path, device, store, largest_stack))
    return [records[number] for number in range(len(retrainings))]


def _retrained(
    retrainings: Sequence[Retraining],
    settings: RetrainingSettings,
    dataset_path: str | Path,
    device: Device,
    store: Store,
    largest_stack: int,
) -> Iterator[tuple[int, dict[str, Any]]]:
    from roco.data.dataset import Dataset

    if not retrainings:
        return
    dataset = Dataset.load(dataset_path)
    requests = [retraining.request(settings, classes=dataset.classes) for retraining in retrainings]
    for number, fitted in fit_all(
        requests,
        dataset,
        recipe=Recipe(**settings.training),
        device=device,
        store=store,
        largest_stack=largest_stack,
        validation_images_too=settings.validation_images_too,
    ):
        retraining = retrainings[number]
        cost = complexity(
            Genome.parse(retraining.individual.genome).phenotype,
            channels=settings.channels,
            image_size=dataset.image_size,
            classes=dataset.classes,
            stem_padding=settings.stem_padding,
            node=settings.node,
        )
        # What someone needs who has the file alone.
        about = {"image_size": dataset.image_size, "class_names": dataset.class_names}
        about |= {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
        _write(retraining.network_path, fitted, {**requests[number].description, **about})
        log.info("%s: retrained", retraining.individual.key, extra=progress(networks=1))
        record = {
            "genome": retraining.individual.genome,
            "key": retraining.individual.key,
            "channels": settings.channels,
            "flops": cost.flops,
            "parameters": cost.parameters,
            "search_flops": retraining.individual.flops,
            "search_parameters": retraining.individual.parameters,
            "epochs": settings.training["epochs"],
            "recipe": settings.training,
            "validation_images_too": settings.validation_images_too,
            "versions": versions(),
            "dataset_fingerprint": dataset.fingerprint,
        }
        yield number, record | _outcome(fitted, retraining.individual.key)


def _write(path: Path, fitted: Fit, description: Mapping[str, Any]) -> None:
    from roco.storage.artifacts import write_tensors

    if fitted.network is None:
        write_tensors(path, KIND, {}, {})
    else:
        save_network(path, fitted.network, description)


def _outcome(fitted: Fit, key: str) -> dict[str, Any]:
    if fitted.network is None:
        log.warning("%s failed: %s", key, fitted.failure)
        return {"status": "failed", "reason": fitted.failure}
    return {
        "status": "ok",
        "reason": None,
        "precision": fitted.precision,
        "train_loss": fitted.losses,
        "seconds": round(fitted.seconds, 3),
        "stack": fitted.stack,
    }


# ---------------------------------------------------------------------------------------------------------------
# A process for each network


def _in_a_process(retraining: Retraining, request: Mapping[str, Any], log_file: str | None) -> dict[str, Any]:
    """The record of a retraining that another process makes on a CPU."""
    content = {**request, "individual": asdict(retraining.individual), "seed": retraining.seed}
    content["network_path"] = str(retraining.network_path)
    with Path(log_file or os.devnull).open("a") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "roco.retraining.fronts"],
            input=json.dumps(content),
            stdout=subprocess.PIPE,
            stderr=file if log_file else None,
            text=True,
            check=False,
            env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        )
    answer = json.loads(ended.stdout or "{}")
    if "record" not in answer:
        reason = answer.get("error") or f"its process ended with exit code {ended.returncode}"
        raise RocoError(f"{retraining.individual.key}: {reason}; run the same command again to go on")
    record: dict[str, Any] = answer["record"]
    return record


def main() -> None:
    """The process: a request as JSON on stdin, the record or an error as JSON on stdout."""
    configure_logging(None)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    pause_collection()
    request = json.loads(sys.stdin.read())
    retraining = Retraining(Individual(**request["individual"]), request["seed"], Path(request["network_path"]))
    settings, store = RetrainingSettings(**request["settings"]), Store(request["store"])
    try:
        [record] = retrain([retraining], settings, dataset_path=request["dataset_path"], device="cpu", store=store)
        answers.write(json.dumps({"record": record}))
    except RocoError as error:
        answers.write(json.dumps({"error": str(error)}))
    answers.close()
    leave()


if __name__ == "__main__":
    main()
