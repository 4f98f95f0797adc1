"""Trained networks as files: weights in safetensors, with the description that rebuilds the module around them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roco.errors import ArtifactError
from roco.networks.targets import ARCHITECTURES
from roco.space.complexity import Channels, NodeKind
from roco.space.genome import Genome
from roco.storage.artifacts import digest_tensors, read_checksum, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "network"


def describe_genome(
    genome: Genome, *, channels: Channels, classes: int, stem_padding: int, node: NodeKind = "residual"
) -> dict[str, Any]:
    """What `build` needs to make the module of a genome."""
    return {
        "family": "genome",
        "genome": str(genome),
        "channels": channels,
        "classes": classes,
        "stem_padding": stem_padding,
        "node": node,
    }


def describe_target(name: str, architecture: Mapping[str, Any], *, classes: int, image_size: int) -> dict[str, Any]:
    """What `build` needs to make the module of a target."""
    return {
        "family": "target",
        "name": name,
        "architecture": dict(architecture),
        "classes": classes,
        "image_size": image_size,
    }


def build(description: Mapping[str, Any], *, mean: list[float], std: list[float]) -> "nn.Module":
    """A fresh module for a description; its weights come from torch's global generator."""
    if description["family"] == "genome":
        from roco.networks.decoder import build_network

        return build_network(
            Genome.parse(description["genome"]).phenotype,
            channels=description["channels"],
            classes=description["classes"],
            stem_padding=description["stem_padding"],
            mean=mean,
            std=std,
            node=description["node"],
        )
    from roco.networks.targets import build_target

    return build_target(
        description["name"],
        ARCHITECTURES[description["name"]].model_validate(description["architecture"]),
        classes=description["classes"],
        image_size=description["image_size"],
        mean=mean,
        std=std,
    )


def save_network(path: str | Path, network: "nn.Module", description: Mapping[str, Any]) -> None:
    """Writes a network's weights and buffers, with its description."""
    write_tensors(path, KIND, network.state_dict(), description)


def load_network(path: str | Path) -> "tuple[nn.Module, dict[str, Any]]":
    """The network in a file, on the CPU and in evaluation mode, and its description.

    Raises:
        ArtifactError: the file is missing or damaged, holds no network, or its weights do not fit its description.
    """
    tensors, description = _read(path)
    try:
        channels = tensors["normalise.mean"].numel()
        network = build(description, mean=[0.0] * channels, std=[1.0] * channels)
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise ArtifactError(f"{path}: its weights do not fit its description ({type(error).__name__})") from None
    return network.eval(), description


def checksum_of(path: str | Path) -> str:
    """The SHA-256 of a network file's weights and description, as the file says."""
    return read_checksum(path, KIND)


def describe_file(path: str | Path) -> dict[str, Any]:
    """The description of a network file; raises ArtifactError if it is missing, damaged or empty."""
    return _read(path)[1]


def _read(path: str | Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    tensors, description = read_tensors(path, KIND)
    if not tensors:
        raise ArtifactError(f"{path}: holds no network: its place in the front is empty, or its training failed")
    return tensors, description


def digest_of(network: "nn.Module") -> str:
    """The SHA-256 of a network's weights and buffers, wherever they are."""
    return digest_tensors(network.state_dict())
