"""Measures a retrained network on test data: clean, on the test adversarial set, and under white-box attacks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from roco.attacks.outcome import marks
from roco.attacks.protocol import Memory, evaluate_robustness
from roco.attacks.sets import AdversarialSet, adversarial_error, breakdown
from roco.attacks.sets.transfer import noise_of
from roco.attacks.settings import RobustnessConfig
from roco.data.dataset import Dataset
from roco.networks.files import checksum_of, load_network
from roco.retraining.records import Measurements, SourceCounts
from roco.runtime import Device, start_torch
from roco.storage.artifacts import Array, digest
from roco.storage.records import Frozen
from roco.storage.store import Store

log = logging.getLogger("roco")

# Raised by hand when an attack gives other numbers than before, so that stored chunks no longer count.
ROBUSTNESS_VERSION = 4


@dataclass(frozen=True)
class StoredAttacks(Memory):
    """The finished chunks of the attacks on one network's weights, in the store."""

    store: Store
    decided_by: Mapping[str, object]

    @classmethod
    def of(cls, store: Store, weights: object, fingerprint: str, config: RobustnessConfig, device: str) -> Self:
        """The chunks for weights with a checksum, on the images that a configuration draws from a data set."""
        decided_by: dict[str, object] = {
            "version": ROBUSTNESS_VERSION,
            "weights": weights,
            "dataset": fingerprint,
            "images": config.images,
            "seed": config.seed,
            "device": device,
        }
        if config.fewer is not None:
            decided_by["fewer"] = config.fewer.images
        return cls(store, decided_by)

    def _key(self, settings: Mapping[str, object]) -> str:
        return digest({**self.decided_by, "settings": settings}, length=24)

    def read(self, settings: Mapping[str, object]) -> list[object]:
        """The finished chunks of the work with these settings, in order."""
        return list(self.store.read("white_box", self._key(settings)) or [])

    def write(self, settings: Mapping[str, object], chunks: Sequence[Frozen]) -> None:
        """Keeps the chunks that are finished so far."""
        self.store.write("white_box", self._key(settings), [chunk.model_dump() for chunk in chunks])


def measure_robustness(
    network_path: str | Path,
    *,
    dataset_path: str | Path,
    adversarial_path: str | Path,
    config: RobustnessConfig,
    device: Device,
    store: Store,
    trained: Mapping[str, object] | None = None,
) -> Measurements:
    """Measures a network on test data; attacks that the store has for these weights are not run again.

    Args:
        network_path: of the network.
        dataset_path: of dataset.h5.
        adversarial_path: of the test adversarial set.
        config: the attacks.
        device: auto, cpu or cuda.
        store: where finished attacks are looked up and kept.
        trained: values that the network's description must have, beside its data set.

    Raises:
        ArtifactError: a file is missing or damaged, or was made from another data set.
        AttackError: an attack cannot be run on this network, or the adversarial set is empty.
    """
    import torch

    from roco.training.prediction import predict

    used = start_torch(device)
    dataset = Dataset.load(dataset_path)
    made_for = {"dataset_fingerprint": dataset.fingerprint}
    adversarial = AdversarialSet.load(adversarial_path, {"split": "test", **made_for})
    network, _ = load_network(network_path, {**made_for, **(trained or {})})
    network.to(used)

    def classes(images: Array) -> Array:
        return predict(network, torch.from_numpy(images).to(used)).cpu().numpy()

    right = classes(dataset.test.images) == dataset.test.labels
    test_error = float((~right).mean())
    log.info("test error %.4f", test_error)
    predictions = classes(adversarial.images)
    noise = noise_of(adversarial, dataset.test.images[adversarial.source_index], seed=config.seed)
    white_box = evaluate_robustness(
        *(network, dataset.test),
        config=config,
        device=used,
        memory=StoredAttacks.of(store, checksum_of(network_path), dataset.fingerprint, config, used.type),
        transferred=_transferred(predictions, adversarial),
    )
    return Measurements(
        test_images=len(dataset.test),
        test_error=test_error,
        right_images=marks(right),
        adversarial_error=adversarial_error(predictions, adversarial),
        adversarial_breakdown=breakdown(predictions, adversarial),
        adversarial_sources=by_source(predictions, adversarial, under_noise=classes(noise)),
        white_box=white_box,
    )


def by_source(predictions: Array, adversarial: AdversarialSet, *, under_noise: Array) -> SourceCounts:
    """Counts a network's right predictions by the test image that adversarial images come from.

    Args:
        predictions: the network's classes of the set's images, int64 `(m,)`.
        adversarial: the set.
        under_noise: its classes of the same test images under noise of the same budgets, as `noise_of` makes it.
    """
    sources, of_image = np.unique(adversarial.source_index, return_inverse=True)

    def count(counted: Array) -> tuple[int, ...]:
        return tuple(np.bincount(of_image, weights=counted, minlength=len(sources)).astype(int).tolist())

    return SourceCounts(
        source_index=tuple(sources.tolist()),
        images=count(np.ones(len(adversarial))),
        right=count(predictions == adversarial.labels),
        noise_right=count(under_noise == adversarial.labels),
    )


def _transferred(predictions: Array, adversarial: AdversarialSet) -> dict[int, float]:
    """For each test image the smallest Linf perturbation of the set that fools a network; infinite if none does.

    Args:
        predictions: the network's classes of the set's images, int64 `(m,)`.
        adversarial: the set.
    """
    smallest: dict[int, float] = {}
    rows = np.flatnonzero(adversarial.norm == b"linf")
    for row in rows.tolist():
        source, threshold = int(adversarial.source_index[row]), float(adversarial.threshold[row]) / 255
        fooled = predictions[row] != adversarial.labels[row]
        smallest[source] = min(smallest.get(source, np.inf), threshold if fooled else np.inf)
    return smallest
