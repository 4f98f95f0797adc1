"""What a retrained network is worth on test data: clean, on the test adversarial set, and under white-box attacks."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roco.attacks.outcome import marks
from roco.attacks.protocol import Memory, Part, evaluate_robustness
from roco.attacks.sets import AdversarialSet, adversarial_error, breakdown
from roco.attacks.sets.transfer import noise_of
from roco.attacks.settings import RobustnessConfig
from roco.data.dataset import Dataset
from roco.networks.files import checksum_of, load_network
from roco.runtime import Device, start_torch
from roco.storage.artifacts import Array, check_provenance, digest
from roco.storage.store import Store

log = logging.getLogger("roco")

# Raised by hand when an attack comes to give other numbers: it invalidates what is in the store.
ROBUSTNESS_VERSION = 3


@dataclass(frozen=True)
class Kept(Memory):
    """What the store has of the attacks on one network's weights, by the settings of each."""

    store: Store
    decided_by: Mapping[str, Any]

    def _key(self, settings: Mapping[str, Any]) -> str:
        return digest({**self.decided_by, "settings": settings}, length=24)

    def read(self, settings: Mapping[str, Any]) -> list[Part]:
        """The finished chunks of the work with these settings, from the first on."""
        return list(self.store.read("white_box", self._key(settings)) or [])

    def write(self, settings: Mapping[str, Any], chunks: Sequence[Part]) -> None:
        """Keeps the chunks that are finished so far, in one entry."""
        self.store.write("white_box", self._key(settings), chunks)


def measure_robustness(
    network_path: str | Path,
    *,
    dataset_path: str | Path,
    adversarial_path: str | Path,
    config: RobustnessConfig,
    device: Device,
    store: Store,
) -> dict[str, Any]:
    """Measures a network on test data; what the store has for these weights is not done again.

    Returns:
        `test_images`, `test_error`, `right_images` (a character a test image, 1 where it is right); on the test
        adversarial set `adversarial_error`, `adversarial_breakdown` and `adversarial_sources` (see `by_source`);
        `white_box` as `evaluate_robustness` gives it.

    Raises:
        ArtifactError: a file is missing or damaged, or was made from another data set.
        AttackError: an attack cannot be run on this network, or the adversarial set is empty.
    """
    import torch

    from roco.training.prediction import predict

    place = start_torch(device)
    dataset = Dataset.load(dataset_path)
    made_for = {"dataset_fingerprint": dataset.fingerprint}
    adversarial = AdversarialSet.load(adversarial_path, {"split": "test", **made_for})
    network, description = load_network(network_path)
    check_provenance(network_path, description, made_for)
    network.to(place)
    right = predict(network, torch.from_numpy(dataset.test.images).to(place)).cpu().numpy() == dataset.test.labels
    test_error = float((~right).mean())
    log.info("test error %.4f", test_error)
    noise = noise_of(adversarial, dataset.test.images[adversarial.source_index], seed=config.seed)
    predictions, under_noise = (
        predict(network, torch.from_numpy(images).to(place)).cpu().numpy() for images in (adversarial.images, noise)
    )
    decided_by = {
        "version": ROBUSTNESS_VERSION,
        "weights": checksum_of(network_path),
        "dataset": dataset.fingerprint,
        "images": config.images,
        "seed": config.seed,
        "device": place.type,
    }
    memory = Kept(store, decided_by)
    white_box = evaluate_robustness(
        *(network, dataset.test),
        config=config,
        device=place,
        memory=memory,
        transferred=_transferred(predictions, adversarial),
    )
    return {
        "test_images": len(dataset.test),
        "test_error": test_error,
        "right_images": marks(right),
        "adversarial_error": adversarial_error(predictions, adversarial),
        "adversarial_breakdown": breakdown(predictions, adversarial),
        "adversarial_sources": by_source(predictions, adversarial, under_noise=under_noise),
        "white_box": white_box,
    }


def by_source(predictions: Array, adversarial: AdversarialSet, *, under_noise: Array) -> dict[str, list[int]]:
    """What a network makes of the images that come from one test image: these are not independent of one another.

    Args:
        predictions: the network's classes of the set's images, int64 `(m,)`.
        adversarial: the set.
        under_noise: its classes of the same test images under noise of the same budgets, as `noise_of` makes it.

    Returns:
        `source_index` (rising), and of each source how many `images` the set has of it, how many of these are `right`,
        and how many are under noise instead (`noise_right`).
    """
    sources, of_image = np.unique(adversarial.source_index, return_inverse=True)
    counts = {"images": np.ones(len(adversarial)), "right": predictions == adversarial.labels}
    counts |= {"noise_right": under_noise == adversarial.labels}
    found = {name: np.bincount(of_image, weights=counted, minlength=len(sources)) for name, counted in counts.items()}
    return {"source_index": sources.tolist(), **{name: count.astype(int).tolist() for name, count in found.items()}}


def _transferred(predictions: Array, adversarial: AdversarialSet) -> dict[int, float]:
    """By test image the smallest Linf perturbation of the set that fools a network; infinite where none does.

    Args:
        predictions: the network's classes of the set's images, int64 `(m,)`.
        adversarial: the set.
    """
    smallest: dict[int, float] = {}
    rows = np.flatnonzero(adversarial.norm == b"linf")
    for row in rows.tolist():
        place, threshold = int(adversarial.source_index[row]), float(adversarial.threshold[row]) / 255
        fooled = predictions[row] != adversarial.labels[row]
        smallest[place] = min(smallest.get(place, np.inf), threshold if fooled else np.inf)
    return smallest
