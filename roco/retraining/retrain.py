"""Trains the networks of a front at length and at full width (paper, Section IV), once or several times each.

On a CPU, several processes `python -m roco.retraining.retrain` may train one network each.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter

from roco.errors import RocoError
from roco.networks.files import save_network, save_no_network
from roco.networks.spec import DecoderSettings, GenomeSpec, NetworkDescription
from roco.retraining.records import EndedTraining, FailedTraining, Slot
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
from roco.search.records import Individual
from roco.settings import Recipe
from roco.storage.records import Frozen
from roco.storage.store import Store
from roco.training.adversarial import AdversarialRecipe
from roco.training.train_or_load import TrainingRequest, TrainingResult, train_or_load_all

if TYPE_CHECKING:
    from roco.data.dataset import Dataset

log = logging.getLogger("roco")

Outcome = EndedTraining | FailedTraining
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Annotated[Outcome, Field(discriminator="status")])


class RetrainingSettings(Frozen):
    """Everything except genome and seed that decides a retrained network.

    `validation_images_too`: whether to train on validation images as well.
    """

    decoder: DecoderSettings
    training: Recipe | AdversarialRecipe
    validation_images_too: bool


class Retraining(Frozen):
    """A training of a network of a front.

    Attributes:
        individual: the network.
        slot: its position in the study, with the seed of this training: of order and augmentation, and, together with
            the genome's key, of initial weights.
        network_path: the file for the trained network.
    """

    individual: Individual
    slot: Slot
    network_path: Path

    def request(self, spec: GenomeSpec) -> TrainingRequest:
        """The request for this training; all networks of one seed see the same order and augmentation."""
        seed = self.slot.training_seed
        weights_seed = seed_from("retraining weights", seed, self.individual.key)
        return TrainingRequest(spec, weights_seed, seed_from("retraining order", seed))


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
) -> list[Outcome]:
    """Trains networks and writes them; a training that fails gives a network file without weights.

    Differs from the paper: the weights of the last epoch count; the authors kept those that were best on test images.

    Args:
        retrainings: what to train.
        settings: of all trainings.
        dataset_path: of dataset.h5.
        device: auto, cpu or cuda.
        store: where finished trainings are looked up and kept.
        processes: the number of processes on a CPU.
        largest_stack: the largest number of networks in a stack.
        log_file: where processes log; stderr if not given.

    Returns:
        The records, in the order of `retrainings`.

    Raises:
        RocoError: a process ended without an answer.
    """
    if resolve_device(device) == "cpu" and min(processes, len(retrainings)) > 1:
        request = {"settings": settings.model_dump(), "dataset_path": str(dataset_path), "store": str(store.root)}
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
) -> Iterator[tuple[int, Outcome]]:
    from roco.data.dataset import Dataset

    if not retrainings:
        return
    dataset = Dataset.load(dataset_path)
    shape = {"classes": dataset.classes, "image_size": dataset.image_size}
    specs = [settings.decoder.spec(retraining.individual.genome, **shape) for retraining in retrainings]
    for number, result in train_or_load_all(
        [retraining.request(spec) for retraining, spec in zip(retrainings, specs, strict=True)],
        dataset,
        recipe=settings.training,
        device=device,
        store=store,
        largest_stack=largest_stack,
        validation_images_too=settings.validation_images_too,
    ):
        _write(retrainings[number].network_path, result, specs[number], dataset)
        log.info("%s: retrained", retrainings[number].individual.key, extra=progress(networks=1))
        yield number, _record(retrainings[number], specs[number], result, settings, dataset)


def _write(path: Path, result: TrainingResult, spec: GenomeSpec, dataset: "Dataset") -> None:
    if result.network is None:
        save_no_network(path)
        return
    description = NetworkDescription(
        spec=spec,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        class_names=dataset.class_names,
    )
    save_network(path, result.network, description)


def _record(
    retraining: Retraining,
    spec: GenomeSpec,
    result: TrainingResult,
    settings: RetrainingSettings,
    dataset: "Dataset",
) -> Outcome:
    individual, cost = retraining.individual, spec.cost
    record: dict[str, Any] = {
        **dict(retraining.slot),
        "genome": individual.genome,
        "key": individual.key,
        "channels": settings.decoder.channels,
        "flops": cost.flops,
        "parameters": cost.parameters,
        "search_flops": individual.flops,
        "search_parameters": individual.parameters,
        "epochs": settings.training.epochs,
        "recipe": settings.training,
        "validation_images_too": settings.validation_images_too,
        "versions": versions(),
        "dataset_fingerprint": dataset.fingerprint,
    }
    if result.network is None:
        log.warning("%s failed: %s", individual.key, result.failure)
        return FailedTraining(**record, reason=str(result.failure))
    return EndedTraining(
        **record,
        precision=result.precision,
        stack=result.stack,
        train_loss=tuple(result.losses),
        seconds=round(result.seconds, 3),
    )


# ---------------------------------------------------------------------------------------------------------------
# A process for each network


def _in_a_process(retraining: Retraining, request: Mapping[str, object], log_file: str | None) -> Outcome:
    """The record of a retraining that another process makes on a CPU."""
    content = {**request, "retraining": retraining.model_dump(mode="json")}
    with Path(log_file or os.devnull).open("a") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "roco.retraining.retrain"],
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
    return _OUTCOME.validate_python(answer["record"])


def main() -> None:
    """The process: a request as JSON on stdin, the record or an error as JSON on stdout."""
    configure_logging(None)
    # Keeps output of libraries out of the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    pause_collection()
    request = json.loads(sys.stdin.read())
    retraining = Retraining.model_validate(request["retraining"])
    settings, store = RetrainingSettings.model_validate(request["settings"]), Store(request["store"])
    try:
        [record] = retrain([retraining], settings, dataset_path=request["dataset_path"], device="cpu", store=store)
        answers.write(json.dumps({"record": record.model_dump()}))
    except RocoError as error:
        answers.write(json.dumps({"error": str(error)}))
    answers.close()
    leave()


if __name__ == "__main__":
    main()
