"""Checkpoints of trainings: a file with weights, momentum and losses of a network or a stack after an epoch."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from roco.errors import ArtifactError
from roco.files import is_there
from roco.storage.artifacts import check_provenance, read_tensors, write_tensors

if TYPE_CHECKING:
    from roco.training.loop import Training

log = logging.getLogger("roco")


def save_checkpoint(
    path: Path, module: nn.Module, momenta: Sequence[Tensor], trainings: "Sequence[Training]", *, epochs: int
) -> None:
    """Writes the state after so many epochs. The file also contains its name, by which a misplaced file is noticed."""
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    tensors |= {f"momentum.{index}": momentum for index, momentum in enumerate(momenta)}
    about = {
        "name": path.stem,
        "epochs": epochs,
        "losses": [training.losses for training in trainings],
        "failures": [training.failure for training in trainings],
    }
    write_tensors(path, "checkpoint", tensors, about)


def restore_checkpoint(
    path: Path, module: nn.Module, momenta: Sequence[Tensor], trainings: "Sequence[Training]"
) -> int:
    """Fills a module, its momenta and the losses of its trainings from a checkpoint.

    Returns:
        The number of epochs that are done. It is 0, and nothing is filled, if there is no checkpoint, or if it is
        damaged or belongs to another training.
    """
    if not is_there(path):
        return 0
    try:
        tensors, attributes = read_tensors(path, "checkpoint")
        check_provenance(path, attributes, {"name": path.stem})
        if len(attributes.get("losses", [])) != len(trainings):
            raise ArtifactError(f"{path}: a checkpoint of other networks")
        _fill(path, module, momenta, tensors)
    except ArtifactError as error:
        log.warning("%s (training begins anew)", error)
        return 0
    for training, losses, failure in zip(trainings, attributes["losses"], attributes["failures"], strict=True):
        training.losses, training.failure = losses, failure
    epochs: int = attributes["epochs"]
    log.info("goes on after epoch %d", epochs)
    return epochs


@torch.no_grad()
def _fill(path: Path, module: nn.Module, momenta: Sequence[Tensor], tensors: dict[str, Tensor]) -> None:
    weights = {name.removeprefix("module."): t for name, t in tensors.items() if name.startswith("module.")}
    kept = [tensors.get(f"momentum.{index}") for index in range(len(momenta))]
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected or any(each is None for each in kept):
        raise ArtifactError(f"{path}: a checkpoint of another network")
    module.load_state_dict(weights)
    for momentum, values in zip(momenta, kept, strict=True):
        assert values is not None
        momentum.copy_(values)
