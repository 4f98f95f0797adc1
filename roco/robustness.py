"""What a retrained network is worth on test data: clean, on the test adversarial set, and under white-box attacks."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roco.artifacts import check_provenance, digest, read_attributes
from roco.attacks.sets import AdversarialSet, adversarial_error, breakdown
from roco.attacks.white_box import evaluate_robustness
from roco.config import RobustnessConfig
from roco.data.dataset import Dataset
from roco.fitting import measure
from roco.networks import checksum_of, load_network
from roco.runtime import Device, start_torch
from roco.store import Store

log = logging.getLogger("roco")

# Raised by hand when an attack comes to give other numbers: it invalidates what is in the store.
ROBUSTNESS_VERSION = 1


def measure_robustness(
    network_path: str | Path,
    *,
    dataset_path: str | Path,
    adversarial_path: str | Path,
    config: RobustnessConfig,
    device: Device,
    store: Store,
) -> dict[str, Any]:
    """Measures a network on test data; attacks that the store has for these weights are not run again.

    Returns:
        `test_images`, `test_error`, `adversarial_error` and `adversarial_breakdown` on the test adversarial set, and
        `white_box` as `evaluate_robustness` gives it.

    Raises:
        ArtifactError: a file is missing or damaged, or was made from another data set.
        AttackError: an attack cannot be run on this network, or the adversarial set is empty.
    """
    import torch

    from roco.training import predict

    place = start_torch(device)
    dataset = Dataset.load(dataset_path)
    made_for = {"dataset_fingerprint": dataset.fingerprint}
    adversarial = AdversarialSet.load(adversarial_path, {"split": "test", **made_for})
    network, description = load_network(network_path)
    check_provenance(network_path, description, made_for)
    network.to(place)
    test_error = measure(network, dataset.test)
    log.info("test error %.4f", test_error)
    predictions = predict(network, torch.from_numpy(adversarial.images).to(place)).cpu().numpy()
    white_box: dict[str, Any] = {"attacks": {}}
    weights = checksum_of(network_path)
    for name, attack in config.attacks.items():
        alone = config.model_copy(update={"attacks": {name: attack}})
        key = _content_key(weights, dataset_path, settings=alone.model_dump(), device=place.type)
        result = store.read("white_box", key)
        if result is None:
            result = evaluate_robustness(network, dataset.test, config=alone, device=place)
            store.write("white_box", key, result)
        white_box = {**result, "attacks": {**white_box["attacks"], **result["attacks"]}}
    return {
        "test_images": len(dataset.test),
        "test_error": test_error,
        "adversarial_error": adversarial_error(predictions, adversarial),
        "adversarial_breakdown": breakdown(predictions, adversarial),
        "white_box": white_box,
    }


def _content_key(weights: str, dataset_path: str | Path, *, settings: Mapping[str, Any], device: str) -> str:
    decided_by = {
        "version": ROBUSTNESS_VERSION,
        "weights": weights,
        "dataset": read_attributes(dataset_path, "dataset")["fingerprint"],
        "settings": settings,
        "device": device,
    }
    return digest(decided_by, length=24)
