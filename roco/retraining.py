"""The networks of a front, trained at length and at full width (paper, Section IV)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roco.config import Recipe
from roco.errors import TrainingFailed
from roco.networks import KIND, describe_genome, save_network
from roco.runtime import Device, seed_from, versions
from roco.search.population import Individual, read_front
from roco.space.complexity import Channels, NodeKind, complexity
from roco.space.genome import Genome
from roco.store import Store

log = logging.getLogger("roco")


@dataclass(frozen=True)
class RetrainingSettings:
    """What decides a retrained network but its genome: fields of the configuration's `retraining`, one of its seeds."""

    channels: Channels
    training: dict[str, Any]
    validation_images_too: bool
    seed: int
    stem_padding: int
    node: NodeKind = "residual"


def occupant(front_path: str | Path, *, slot: int, made_for: Mapping[str, Any] | None = None) -> Individual | None:
    """The network in a slot of a front, or None past the front's end; `made_for` is what the front has to say."""
    front = read_front(front_path, made_for)
    return front[slot] if slot < len(front) else None


def retrain(
    individual: Individual,
    settings: RetrainingSettings,
    *,
    dataset_path: str | Path,
    network_path: str | Path,
    device: Device,
    store: Store,
) -> dict[str, Any]:
    """Trains an individual's network and writes it; a training that fails gives a network file without weights.

    Differs from the paper: the weights of the last epoch count; the authors kept those that were best on test images.

    Returns:
        Status, genome, key, FLOPs and parameters at the search's width and at this one, losses, seconds.
    """
    from roco.artifacts import write_tensors
    from roco.data.dataset import Dataset
    from roco.fitting import fit

    genome = Genome.parse(individual.genome)
    dataset = Dataset.load(dataset_path)
    shape = {"classes": dataset.classes, "stem_padding": settings.stem_padding}
    cost = complexity(
        genome.phenotype,
        channels=settings.channels,
        image_size=dataset.image_size,
        node=settings.node,
        **shape,
    )
    result = {
        "genome": individual.genome,
        "key": individual.key,
        "channels": settings.channels,
        "flops": cost.flops,
        "parameters": cost.parameters,
        "search_flops": individual.flops,
        "search_parameters": individual.parameters,
        "epochs": settings.training["epochs"],
        "recipe": settings.training,
        "validation_images_too": settings.validation_images_too,
        "versions": versions(),
        "dataset_fingerprint": dataset.fingerprint,
    }
    description = describe_genome(genome, channels=settings.channels, node=settings.node, **shape)
    try:
        fitted = fit(
            description,
            dataset,
            recipe=Recipe(**settings.training),
            seed=seed_from("retraining", settings.seed, individual.key),
            device=device,
            store=store,
            validation_images_too=settings.validation_images_too,
        )
    except TrainingFailed as failure:
        log.warning("%s failed: %s", individual.key, failure)
        write_tensors(network_path, KIND, {}, {})
        return {**result, "status": "failed", "reason": str(failure)}
    # What someone needs who has the file alone.
    about = {"image_size": dataset.image_size, "class_names": dataset.class_names}
    about |= {"dataset": dataset.name, "dataset_fingerprint": dataset.fingerprint}
    save_network(network_path, fitted.network, description | about)
    seconds = round(fitted.seconds, 3)
    return {
        **result,
        "status": "ok",
        "reason": None,
        "precision": fitted.precision,
        "train_loss": fitted.losses,
        "seconds": seconds,
    }
