"""A trained network as a file for others: safetensors, ONNX or torch.export. Its card is in card.py."""

import importlib
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from roco.errors import ConfigError, RocoError, in_one_line
from roco.files import atomic, is_there
from roco.retraining.records import EndedTraining, read_training

if TYPE_CHECKING:
    from torch import nn

# The ending of each format's files.
FORMATS: Mapping[str, str] = MappingProxyType({"safetensors": ".safetensors", "onnx": ".onnx", "torch-export": ".pt2"})
NEEDED = {"onnx": ("onnx", "onnxscript")}


def find_network(key_or_file: str, results: str | Path, training_seed: int | None = None) -> Path:
    """The file of a network.

    Args:
        key_or_file: a file, or a retrained network's key (at least its first four digits).
        results: the folder of all results, where a key is looked up.
        training_seed: which of the retrainings; the smallest seed if not given, whatever was measured.

    Raises:
        ConfigError: there is no such network, or several different networks have the key.
    """
    if Path(key_or_file).is_file():
        return Path(key_or_file)
    if not re.fullmatch(r"[0-9a-f]{4,12}", key_or_file):
        raise ConfigError(f"{key_or_file}: expected a network's file, or its key of 4 to 12 digits and letters a to f")
    folders = sorted(Path(results).glob("*/retrained/*/seed_*/slot_*/training_[0-9]*"))
    trained = {folder: _seed_of(folder) for folder in folders if _holds(folder, key_or_file)}
    if not trained:
        raise ConfigError(f"{key_or_file}: no retrained network in {results} has this key")
    chosen = min(trained.values()) if training_seed is None else training_seed
    of_seed = [folder for folder, seed in trained.items() if seed == chosen]
    if not of_seed:
        seeds = ", ".join(map(str, sorted(set(trained.values()))))
        raise ConfigError(f"{key_or_file}: expected a training seed of {seeds}, got {training_seed}")
    from roco.networks.files import checksum_of

    files = {
        checksum_of(folder / "network.safetensors"): folder / "network.safetensors" for folder in reversed(of_seed)
    }
    if len(files) > 1:
        raise ConfigError(
            f"{key_or_file}: several networks have this key; give a file: {', '.join(map(str, files.values()))}"
        )
    return next(iter(files.values()))


def _seed_of(folder: Path) -> int:
    return int(folder.name.removeprefix("training_"))


def _holds(folder: Path, key: str) -> bool:
    """Whether the folder has a retrained network whose key begins with `key`."""
    path = folder / "training.json"
    if not is_there(path):
        return False
    training = read_training(path)
    return isinstance(training, EndedTraining) and training.key.startswith(key)


def export_network(path: str | Path, file_format: str, output: str | Path) -> None:
    """Writes the network of a file in another format; its input is `images`, a batch of any size, its output `logits`.

    Args:
        path: the network's file.
        file_format: a key of FORMATS.
        output: the file to write.

    Raises:
        ArtifactError: the file holds no network.
        ConfigError: a package that the format needs is not installed.
        RocoError: torch's exporter fails.
    """
    from roco.networks.files import load_network

    for package in NEEDED.get(file_format, ()):
        _require(package, file_format)
    network, description = load_network(path)
    with atomic(output) as temporary:
        if file_format == "safetensors":
            shutil.copyfile(path, temporary)
            return
        write = _write_onnx if file_format == "onnx" else _write_torch_export
        try:
            write(network, description.spec.image_size, temporary)
        except RuntimeError as error:
            reason = in_one_line(error)
            raise RocoError(f"{path}: torch cannot write it as {file_format} ({reason}); safetensors can") from error


def _require(package: str, file_format: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError:
        raise ConfigError(
            f"--format {file_format}: needs {package}, which is not installed; pip install '.[export]' in the clone"
        ) from None


def _any_batch() -> "tuple[dict[int, Any]]":
    """Batches of any size; by position, because inputs of targets and of genomes' networks have different names."""
    import torch

    return ({0: torch.export.Dim("batch")},)


def _write_onnx(network: "nn.Module", image_size: int, path: Path) -> None:
    import torch

    # The exporter logs hints for developers.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, image_size, image_size),),
        str(path),
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=_any_batch(),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _write_torch_export(network: "nn.Module", image_size: int, path: Path) -> None:
    import torch

    example = (torch.zeros(2, 3, image_size, image_size),)
    program = torch.export.export(network, example, dynamic_shapes=_any_batch())
    torch.export.save(program, path)
