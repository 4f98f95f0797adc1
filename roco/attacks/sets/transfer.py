"""Transfer of an adversarial set between its targets: how often images that fool one target fool another."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from roco.attacks.norms import forward_batch
from roco.attacks.records import TransferPair
from roco.attacks.sets.adversarial_set import AdversarialSet
from roco.data.dataset import Split
from roco.errors import AttackError
from roco.runtime import numpy_generator
from roco.training.prediction import predict

Array = np.ndarray[Any, Any]


def measure_transfer(
    adversarial: AdversarialSet, networks: Mapping[str, nn.Module], split: Split, *, seed: int
) -> tuple[TransferPair, ...]:
    """For each cell of a set and each other target, how many of the cell's images fool that target as well.

    Only images count whose clean image the other target has right. The control is noise of the same budget on the same
    clean images: k random pixels in random corner colours, or every value moved up or down by the threshold.

    Args:
        adversarial: the set.
        networks: all its targets by name, on one device.
        split: the clean images that it was made from.
        seed: of the noise; an image has the same noise for all targets.

    Raises:
        AttackError: a target of the set is not among the networks.
    """
    names = sorted({cell.target for cell in adversarial.attacked})
    if missing := [name for name in names if name not in networks]:
        raise AttackError(f"transfer: expected all targets of the set, got {', '.join(networks)} and no {missing[0]}")
    clean = split.images[adversarial.source_index]
    shown = (clean, adversarial.images, noise_of(adversarial, clean, seed=seed))
    wrong = {name: [_predictions(networks[name], images) != adversarial.labels for images in shown] for name in names}
    pairs = []
    for cell, target in product(adversarial.attacked, names):
        if cell.target != target:
            before, after, control = wrong[target]
            counted = adversarial.rows(cell) & ~before
            pairs.append(
                TransferPair(
                    norm=cell.norm,
                    threshold=cell.threshold,
                    source=cell.target,
                    target=target,
                    images=int(counted.sum()),
                    fooled=int(after[counted].sum()),
                    noise=int(control[counted].sum()),
                )
            )
    return tuple(pairs)


def noise_of(adversarial: AdversarialSet, clean: Array, *, seed: int) -> Array:
    """Noise of each adversarial image's budget on its clean image.

    Args:
        adversarial: the set.
        clean: uint8 `(m, 3, h, w)`, the clean image of each row.
        seed: of the noise; equal images with equal budgets have equal noise.

    Returns:
        uint8 `(m, 3, h, w)`.
    """
    noise = clean.copy()
    columns = (adversarial.norm.tolist(), adversarial.threshold.tolist(), adversarial.source_index.tolist())
    for row, (norm, threshold, index) in enumerate(zip(*columns, strict=True)):
        generator = numpy_generator(seed, "noise", norm.decode(), threshold, index)
        noise[row] = noisy(clean[row], norm.decode(), threshold, generator)
    return noise


def noisy(image: Array, norm: str, threshold: int, generator: np.random.Generator) -> Array:
    """A uint8 image `(3, h, w)` with random noise of the whole budget: corner pixels for l0, signs for linf."""
    if norm == "linf":
        signs = generator.integers(0, 2, image.shape) * 2 - 1
        moved: Array = (image.astype(np.int64) + threshold * signs).clip(0, 255).astype(np.uint8)
        return moved
    flat = image.reshape(3, -1).copy()
    pixels = generator.permutation(flat.shape[1])[:threshold]
    flat[:, pixels] = generator.integers(0, 2, (3, len(pixels))) * 255
    return flat.reshape(image.shape)


def _predictions(network: nn.Module, images: Array) -> Array:
    device = next(network.parameters()).device
    parts = [
        predict(network, torch.from_numpy(part).to(device), batch_size=forward_batch(device)).cpu().numpy()
        for part in np.array_split(images, range(4096, len(images), 4096))
    ]
    return np.concatenate(parts)
