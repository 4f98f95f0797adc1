"""Trained networks as files: weights in safetensors, with the description that rebuilds the module around them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roco.errors import ArtifactError, GenomeError
from roco.networks.spec import GenomeSpec, NetworkDescription, TargetSpec
from roco.storage.artifacts import check_provenance, digest_tensors, read_checksum, read_tensors, write_tensors
from roco.storage.records import check_content

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "network"


def save_network(path: str | Path, network: "nn.Module", description: NetworkDescription) -> None:
    """Writes a network's weights and buffers, with its description."""
    write_tensors(path, KIND, network.state_dict(), description.plain())


def save_no_network(path: str | Path) -> None:
    """Writes a file without weights: for a training that failed, or a slot past the end of the front."""
    write_tensors(path, KIND, {}, {})


def load_network(
    path: str | Path, made_for: Mapping[str, object] | None = None
) -> "tuple[nn.Module, NetworkDescription]":
    """The network in a file, on the CPU and in evaluation mode, and its description.

    Args:
        made_for: values that the description must have.

    Raises:
        ArtifactError: the file is missing or damaged, holds no network, was made for something else, or its weights do
            not fit its description.
    """
    tensors, plain = _read(path)
    try:
        description = NetworkDescription.parse(plain)
    except (ValueError, GenomeError) as error:
        raise _unfit(path, error) from None
    check_provenance(path, description.plain(), made_for or {})
    return _module(path, description.spec, tensors), description


def load_weights(path: str | Path, spec: GenomeSpec | TargetSpec) -> "tuple[nn.Module, dict[str, Any]]":
    """The network of a spec with the weights in a file, and the other content of the file.

    Raises:
        ArtifactError: as `load_network`.
    """
    tensors, plain = _read(path)
    return _module(path, spec, tensors), plain


def describe_file(path: str | Path) -> NetworkDescription:
    """The description of a network file; raises ArtifactError if it is missing, damaged or empty."""
    return check_content(path, KIND, NetworkDescription.parse, _read(path)[1])


def checksum_of(path: str | Path) -> str:
    """The SHA-256 of a network file's weights and description, as the file says."""
    return read_checksum(path, KIND)


def digest_of(network: "nn.Module") -> str:
    """The SHA-256 of a network's weights and buffers, on any device."""
    return digest_tensors(network.state_dict())


def _read(path: str | Path) -> "tuple[dict[str, Tensor], dict[str, Any]]":
    tensors, plain = read_tensors(path, KIND)
    if not tensors:
        raise ArtifactError(f"{path}: holds no network: its slot is past the end of the front, or its training failed")
    return tensors, plain


def _module(path: str | Path, spec: GenomeSpec | TargetSpec, tensors: "dict[str, Tensor]") -> "nn.Module":
    try:
        channels = tensors["normalise.mean"].numel()
        network = spec.build(mean=[0.0] * channels, std=[1.0] * channels)
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError, ValueError, TypeError, GenomeError) as error:
        raise _unfit(path, error) from None
    return network.eval()


def _unfit(path: str | Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{path}: its weights do not fit its description ({type(error).__name__})")
