"""Evaluates a network of any origin by the white-box protocol; an interrupted run goes on where it was."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from roco.attacks.protocol import evaluate_robustness
from roco.attacks.records import Flag, WhiteBox
from roco.attacks.settings import RobustnessConfig
from roco.external.checks import inspect_network
from roco.external.images import TestImages
from roco.external.model import Normalised, read_model
from roco.external.settings import black_box
from roco.retraining.robustness import StoredAttacks
from roco.runtime import Device, start_torch, versions
from roco.storage.records import Record
from roco.storage.store import Store

log = logging.getLogger("roco")


class Evaluation(Record):
    """A network of any origin under the protocol.

    Attributes:
        network: the name that the user gave.
        origin: the kind of file or function that it was read from.
        sha256: of its file, or of its weights and the source of its factory.
        mean: of the normalisation of images in [0, 1].
        std: of the normalisation.
        images: the title of the data set.
        images_sha256: of all test images and labels.
        classes: the number of its logits.
        settings: of the attacks that were run.
        inspection: flags of the network itself, raised or not.
    """

    kind: ClassVar[str] = "evaluation"

    network: str
    origin: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    images: str
    images_sha256: str
    classes: int
    device: str
    settings: RobustnessConfig
    inspection: tuple[Flag, ...]
    white_box: WhiteBox
    versions: dict[str, str]

    @property
    def flags(self) -> tuple[Flag, ...]:
        """All flags, of the network and of the attacks."""
        return (*self.inspection, *self.white_box.flags)


def evaluate(
    name: str,
    images: TestImages,
    *,
    config: RobustnessConfig,
    store: Store,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (1.0,),
    device: Device = "auto",
    results: str | Path = "results",
) -> Evaluation:
    """Attacks a network; see `roco.external.model.read_model` for what `name` can be.

    Args:
        name: of the network.
        images: of which `config.images` are drawn.
        config: the attacks; those that need gradients are left out if the network has none.
        store: where finished chunks of attacks are looked up and kept.
        mean: of the network's normalisation, a single number or one per channel.
        std: of the network's normalisation.
        device: auto, cpu or cuda.
        results: where the key of a retrained network is looked up.

    Raises:
        ConfigError: the network cannot be read, or does not fit the images.
        AttackError: an attack cannot be run on it.
    """
    used = start_torch(device)
    model = read_model(name, device=used, results=results)
    network = Normalised(model.network, mean=mean, std=std).to(used)
    inspection = inspect_network(network, images.split, class_names=images.class_names, name=name)
    for flag in inspection.flags:
        if flag.raised:
            log.warning("%s: %s", flag.name, flag.detail)
    if not inspection.has_gradients:
        config = black_box(config)
    fingerprint = _fingerprint(images)
    weights = [model.sha256, list(mean), list(std)]
    white_box = evaluate_robustness(
        network,
        images.split,
        config=config,
        device=used,
        memory=StoredAttacks.of(store, weights, fingerprint, config, used.type),
    )
    return Evaluation(
        network=name,
        origin=model.origin,
        sha256=model.sha256,
        mean=tuple(mean),
        std=tuple(std),
        images=images.title,
        images_sha256=fingerprint,
        classes=inspection.classes,
        device="GPU" if used.type == "cuda" else "CPU",
        settings=config,
        inspection=inspection.flags,
        white_box=white_box,
        versions=versions(),
    )


def _fingerprint(images: TestImages) -> str:
    split = images.split
    return hashlib.sha256(split.images.tobytes() + split.labels.astype("<i8").tobytes()).hexdigest()
