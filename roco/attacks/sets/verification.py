"""An independent check of a stored adversarial set, from the file, the clean images and the targets alone.

It shares no code with what made the set, so that a fault there cannot hide itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from roco.attacks.sets.adversarial_set import AdversarialSet
from roco.data.dataset import Split
from roco.errors import ArtifactError

Array = np.ndarray[Any, Any]

# Another batch size than the one that made the set: what holds for a stored image must not depend on its batch.
BATCH = 37


def verify_set(
    path: str | Path, networks: Mapping[str, nn.Module], split: Split, *, fingerprint: str | None = None
) -> int:
    """Recomputes every claim of an adversarial set; each image must be within its budget and newly misclassified.

    Args:
        path: the set.
        networks: the targets by name, on any device.
        split: the clean images and labels that it was made from.
        fingerprint: of their data set, where known.

    Returns:
        The number of images; all of them passed.

    Raises:
        ArtifactError: the first fault, with its row; or the file is missing or damaged.
    """
    stored = AdversarialSet.load(path)
    if fingerprint is not None and fingerprint != stored.dataset_fingerprint:
        raise ArtifactError(
            f"{path}: expected images of data set {fingerprint[:12]}, found {stored.dataset_fingerprint[:12]}"
        )
    _check_counts(path, stored)
    if not ((stored.source_index >= 0) & (stored.source_index < len(split.labels))).all():
        raise ArtifactError(f"{path}: expected source indices below {len(split.labels)}, found others")
    clean = split.images[stored.source_index]
    _demand(path, stored.labels == split.labels[stored.source_index], "its label is not its clean image's")
    _demand(path, _distance(stored, clean) <= stored.threshold, "it is outside its budget")
    for name in np.unique(stored.target):
        rows = np.flatnonzero(stored.target == name)
        if name.decode() not in networks:
            raise ArtifactError(f"{path}: expected the targets {', '.join(networks)}, found {name.decode()}")
        network = networks[name.decode()]
        before, after = _predictions(network, clean[rows]), _predictions(network, stored.images[rows])
        labels = stored.labels[rows]
        _demand(path, before == labels, "its target does not have the clean image right", rows=rows)
        _demand(path, after != labels, "its target still has it right", rows=rows)
        _demand(path, after == stored.target_prediction[rows], "its target says another class of it", rows=rows)
    return len(stored)


def _demand(path: str | Path, right: Array, otherwise: str, *, rows: Array | None = None) -> None:
    if not right.all():
        first = int(np.flatnonzero(~right)[0])
        row = first if rows is None else int(rows[first])
        raise ArtifactError(f"{path}: image {row}: {otherwise}; {int((~right).sum())} such images; make the set anew")


def _check_counts(path: str | Path, stored: AdversarialSet) -> None:
    """Raises unless each cell counts its images, and the counts do not fall with the threshold."""
    last: dict[tuple[str, str], int] = {}
    for cell in sorted(stored.attacked, key=lambda cell: cell.threshold):
        images = int(stored.rows(cell).sum())
        name, chain = f"{cell.target} {cell.norm} {cell.threshold}", (cell.target, cell.norm)
        if images != cell.successes or not last.get(chain, 0) <= images <= cell.attacked:
            raise ArtifactError(
                f"{path}: {name}: {cell.successes} successes of {cell.attacked} are said, {images} stored, "
                f"{last.get(chain, 0)} at the smaller threshold; make the set anew"
            )
        last[chain] = images
    if sum(cell.successes for cell in stored.attacked) != len(stored):
        raise ArtifactError(f"{path}: some images belong to no cell; make the set anew")


def _distance(stored: AdversarialSet, clean: Array) -> Array:
    """Changed pixels of l0 images, largest change of linf images, int64 `(m,)`."""
    difference = np.abs(stored.images.astype(np.int64) - clean.astype(np.int64))
    pixels = (difference.sum(axis=1) > 0).reshape(len(difference), -1).sum(axis=1)
    largest = difference.reshape(len(difference), -1).max(axis=1, initial=0)
    distance: Array = np.where(stored.norm == b"l0", pixels, largest)
    return distance


def _predictions(network: nn.Module, images: Array) -> Array:
    """Predicted classes of uint8 images, int64 `(m,)`."""
    network.eval()
    device = next((tensor.device for tensor in network.state_dict().values()), torch.device("cpu"))
    predictions = []
    with torch.no_grad():
        for begin in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[begin : begin + BATCH]).to(device, torch.float32) / 255
            predictions.append(network(batch).argmax(dim=1).cpu().numpy())
    return np.concatenate(predictions)
