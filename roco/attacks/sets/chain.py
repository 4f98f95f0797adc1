"""Adversarial images of one target in one norm: attacked at every threshold, the verified successes kept."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.l0 import attack_l0
from roco.attacks.l0.counter import keys_of
from roco.attacks.linf import attack_linf
from roco.attacks.norms import DECIDED, Norm, forward_batch, margins, margins_of, within_budget
from roco.attacks.sets.cell import Array, Cell
from roco.attacks.settings import AdversarialConfig
from roco.data.dataset import Split
from roco.errors import AttackError
from roco.networks.files import digest_of
from roco.runtime import numpy_generator, seed_from, versions
from roco.storage.artifacts import digest
from roco.storage.store import Store
from roco.training.prediction import logits_of

log = logging.getLogger("roco")

# Raised by hand when an attack gives other images than before: it invalidates what is in the store.
ATTACK_VERSION = 3
KIND = "adversarial_chunk"


def attack_chain(
    network: nn.Module,
    split: Split,
    *,
    target: str,
    norm: Norm,
    thresholds: Sequence[int],
    config: AdversarialConfig,
    split_name: str,
    dataset_fingerprint: str,
    device: torch.device,
    store: Store,
) -> list[Cell]:
    """Attacks images that a target classifies correctly, from the smallest threshold to the largest.

    Each threshold starts from the images of the smaller threshold, so that the number of successes never falls. A
    success is judged here on the uint8 image that is stored: it is within the budget, the clean image is right and this
    image is wrong, both by a clear margin. Images are attacked in chunks of a fixed size; stored chunks are not
    attacked again.

    Args:
        network: the target.
        split: the images to attack.
        target: the target's name.
        norm: `l0` (thresholds in pixels) or `linf` (in 1/255).
        thresholds: in rising order.
        config: how many images, which attacks, the seed.
        split_name: the split's name.
        dataset_fingerprint: of the split's data set.
        device: where to work.
        store: for finished chunks.

    Returns:
        One cell per threshold. A target that is never right has cells without images.

    Raises:
        AttackError: thresholds do not rise, or an attack failed or broke its budget.
    """
    if list(thresholds) != sorted(set(thresholds)):
        raise AttackError(f"thresholds: expected different values in rising order, got {list(thresholds)}")
    network = network.to(device).eval()
    order = numpy_generator(config.seed, "adversarial images", split_name).permutation(len(split))
    source = correctly_classified(network, split, order=order, count=config.images, device=device)
    attack = config.l0_attack if norm == "l0" else config.linf_attack
    settings = {"images": config.images, "thresholds": list(thresholds), "attack": attack.model_dump()}
    chain = _Chain(
        network=network,
        clean=torch.from_numpy(split.images[source]).to(device),
        labels=torch.from_numpy(split.labels[source]).to(device),
        source=source,
        norm=norm,
        config=config,
        names=(split_name, target, norm),
        store=store,
        key=_content_key(network, dataset_fingerprint, settings | {"seed": config.seed}, device=device),
        begin=0,
        total=len(source),
    )
    chunks = chain.chunks(forward_batch(device))
    results = [chunk.run(thresholds) for chunk in chunks]
    return [
        Cell(
            **_successes(chunks, [of_chunk[number] for of_chunk in results]),
            split=split_name,
            target=target,
            norm=norm,
            threshold=threshold,
            attacked=len(source),
            settings=settings,
            seed=config.seed,
            versions=versions(),
            dataset_fingerprint=dataset_fingerprint,
        )
        for number, threshold in enumerate(thresholds)
    ]


def _content_key(
    network: nn.Module, dataset_fingerprint: str, settings: dict[str, Any], *, device: torch.device
) -> str:
    decided_by = {
        "version": ATTACK_VERSION,
        "network": digest_of(network),
        "dataset": dataset_fingerprint,
        "settings": settings,
        "device": device.type,
    }
    return digest(decided_by, length=20)


def correctly_classified(network: nn.Module, split: Split, *, order: Array, count: int, device: torch.device) -> Array:
    """The indices of the first `count` images in `order` that a network has right by a clear margin, sorted, int64."""
    batch_size = forward_batch(device)
    # Batch by batch until there are enough: a split may be large and a target slow.
    chosen: list[Array] = [np.zeros(0, dtype=np.int64)]
    for begin in range(0, len(order), batch_size):
        if sum(map(len, chosen)) >= count:
            break
        part = order[begin : begin + batch_size]
        images, labels = (torch.from_numpy(array[part]).to(device) for array in (split.images, split.labels))
        logits = logits_of(network, images, batch_size=batch_size)
        right = (margins(logits, labels) <= -DECIDED) & logits.isfinite().all(dim=1)
        chosen.append(part[right.cpu().numpy()])
    return np.sort(np.concatenate(chosen)[:count])


@dataclass(frozen=True)
class _Chain:
    """A target and a chunk of clean images, from image `begin` of `total`, which are attacked at each threshold."""

    network: nn.Module
    clean: Tensor
    labels: Tensor
    source: Array
    norm: Norm
    config: AdversarialConfig
    names: tuple[str, ...]
    store: Store
    key: str
    begin: int
    total: int

    def chunks(self, size: int) -> "list[_Chain]":
        """Chains with `size` images each; a single chain without images if there are no images."""
        return [
            replace(
                self,
                clean=self.clean[begin : begin + size],
                labels=self.labels[begin : begin + size],
                source=self.source[begin : begin + size],
                key="-".join((self.key, *self.names, str(begin))),
                begin=begin,
            )
            for begin in range(0, max(len(self.source), 1), size)
        ]

    def run(self, thresholds: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
        """For each threshold the best perturbed image of each clean one, and their margins."""
        results: list[tuple[Tensor, Tensor]] = []
        for threshold in thresholds:
            began = time.monotonic()
            kept = self._kept(threshold)
            result = self._next(threshold, before=results[-1] if results else None) if kept is None else kept
            if kept is None and len(self.source):
                self._keep(threshold, result)
            results.append(result)
            successes, seconds = int((result[1] >= DECIDED).sum()), time.monotonic() - began
            how = f"{seconds:.1f} s" if kept is None else "attacked before"
            log.info("%s %d: %d of %d images (%s)", " ".join(self.names), threshold, successes, len(self.source), how)
        if len(self.source) < self.total:
            done = self.begin + len(self.source)
            log.info("%s: %d of %d images attacked", " ".join(self.names), done, self.total)
        return results

    def _next(self, threshold: int, *, before: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        """The best images and their margins at a threshold, given those of the threshold before."""
        untouched = torch.full(self.labels.shape, -torch.inf, device=self.clean.device)
        best, best_margins = before or (self.clean, untouched)
        if len(self.source):
            perturbed = self._attack(threshold, start=best if before else None)
            new_margins = self._judged(perturbed, threshold)
            # An old success keeps its margin: judged again, in another batch, it might just miss `DECIDED`.
            better = new_margins > best_margins
            best = torch.where(better[:, None, None, None], perturbed, best)
            best_margins = torch.where(better, new_margins, best_margins)
        return best, best_margins

    def _kept(self, threshold: int) -> tuple[Tensor, Tensor] | None:
        arrays = self.store.read_arrays(KIND, f"{self.key}-{threshold}")
        if arrays is None:
            return None
        changes, margin = (torch.from_numpy(arrays[name]).to(self.clean.device) for name in ("changes", "margins"))
        return self.clean ^ changes, margin

    def _keep(self, threshold: int, result: tuple[Tensor, Tensor]) -> None:
        # As the bits that differ from the clean images: most are 0 and take no space.
        changes, new_margins = (result[0] ^ self.clean).cpu().numpy(), result[1].cpu().numpy()
        self.store.write_arrays(KIND, f"{self.key}-{threshold}", {"changes": changes, "margins": new_margins})

    def _attack(self, threshold: int, *, start: Tensor | None) -> Tensor:
        parts = (self.config.seed, *self.names, threshold)
        if self.norm == "linf":
            return attack_linf(
                self.network,
                self.clean,
                labels=self.labels,
                threshold=threshold,
                settings=self.config.linf_attack,
                # Chunks begin with different images, so that each has its own seed.
                seed=seed_from(*parts, int(self.source[0])),
                start=start,
            )
        return attack_l0(
            self.network,
            self.clean,
            labels=self.labels,
            n_pixels=threshold,
            settings=self.config.l0_attack,
            # One key per image, so that its result does not depend on the other images.
            keys=keys_of(*parts, rows=self.source, device=self.clean.device),
            start=start,
        )

    def _judged(self, perturbed: Tensor, threshold: int) -> Tensor:
        """The margins of an attack's images, after a check of their budget."""
        inside = within_budget(self.clean, perturbed, norm=self.norm, threshold=threshold)
        if not inside.all():
            raise AttackError(
                f"{' '.join(self.names)} {threshold}: the attack broke its budget on {int((~inside).sum())} of "
                f"{len(inside)} images; this is a fault of the attack and not of the configuration"
            )
        return margins_of(self.network, perturbed, labels=self.labels, batch_size=forward_batch(perturbed.device))


def _successes(chunks: Sequence[_Chain], results: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """The arrays of a cell: the images of all chunks that are misclassified by a clear margin."""
    parts = [_successes_of_chunk(chunk, *best) for chunk, best in zip(chunks, results, strict=True)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _successes_of_chunk(chunk: _Chain, perturbed: Tensor, best_margins: Tensor) -> dict[str, Array]:
    rows = best_margins >= DECIDED
    images, labels = perturbed[rows], chunk.labels[rows]
    predictions = labels
    if len(images):
        logits = logits_of(chunk.network, images, batch_size=forward_batch(images.device))
        predictions = logits.scatter(1, labels[:, None], -torch.inf).argmax(dim=1)
    return {
        "images": images.cpu().numpy(),
        "labels": labels.cpu().numpy(),
        "source_index": chunk.source[rows.cpu().numpy()],
        "target_prediction": predictions.cpu().numpy(),
        "margin": best_margins[rows].float().cpu().numpy(),
    }
