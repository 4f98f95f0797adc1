"""Checkpoints of trainings: weights, momentum and losses after a whole epoch, in one file."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from roco.artifacts import check_provenance, read_tensors, write_tensors
from roco.errors import ArtifactError

log = logging.getLogger("roco")


def save_checkpoint(path: Path, network: nn.Module, *, momenta: Sequence[Tensor], losses: Sequence[float]) -> None:
    """Writes the state after `len(losses)` epochs; the file's name is kept in it."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"momentum.{index}": momentum for index, momentum in enumerate(momenta)}
    write_tensors(path, "checkpoint", tensors, {"name": path.stem, "losses": list(losses)})


def restore_checkpoint(path: Path, network: nn.Module, *, momenta: Sequence[Tensor], last: int) -> list[float]:
    """Fills a network and its momenta from a checkpoint, and returns the losses of the epochs that are done.

    One that is damaged, of another training or of an epoch after the `last` that is wanted counts for nothing: nothing
    is filled, and no epoch is done.
    """
    try:
        tensors, attributes = read_tensors(path, "checkpoint")
        check_provenance(path, attributes, {"name": path.stem})
        if len(attributes["losses"]) > last:
            raise ArtifactError(f"{path}: expected epoch {last} or before, found {len(attributes['losses'])}")
        _fill(path, network, momenta, tensors)
    except ArtifactError as error:
        log.warning("%s (training begins anew)", error)
        return []
    losses: list[float] = attributes["losses"]
    log.info("goes on after epoch %d", len(losses))
    return losses


@torch.no_grad()
def _fill(path: Path, network: nn.Module, momenta: Sequence[Tensor], tensors: dict[str, Tensor]) -> None:
    weights = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    kept = [tensors.get(f"momentum.{index}") for index in range(len(momenta))]
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected or any(one is None for one in kept):
        raise ArtifactError(f"{path}: a checkpoint of another network")
    network.load_state_dict(weights)
    for momentum, one in zip(momenta, kept, strict=True):
        assert one is not None
        momentum.copy_(one)
