"""Reads a network from anywhere: torch.export, ONNX, a file of roco, or a function in Python."""

import contextlib
import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from roco.errors import ConfigError, RocoError, in_one_line
from roco.networks.files import checksum_of, digest_of, load_network
from roco.retraining.export import find_network

# Files that run code when they are read.
PICKLES = (".pt", ".pth", ".ckpt", ".bin", ".pkl")
KINDS = "a .pt2 file of torch.export, an .onnx or .safetensors file, a key of roco, or package.module:factory"


@dataclass(frozen=True)
class Model:
    """A network as it was read, without normalisation; see `Evaluation` for the fields."""

    network: nn.Module
    origin: str
    sha256: str


class Normalised(nn.Module):
    """A network as attacks call it: float32 images in [0, 1] to logits, always in evaluation mode.

    It does not pass `train()` on: exported networks refuse it, and nothing here trains.
    """

    def __init__(self, network: nn.Module, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Exported networks are in the mode that they were exported in.
        with contextlib.suppress(NotImplementedError):
            network.eval()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def train(self, mode: bool = True) -> "Normalised":
        """Sets `training` and changes nothing else."""
        self.training = mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(n, classes)` of images `(n, 3, h, w)` in [0, 1]."""
        logits: Tensor = self.network((images - self.get_buffer("mean")) / self.get_buffer("std"))
        return logits


class _OnnxRuntime(nn.Module):
    """An ONNX network in onnxruntime: logits, and no gradients."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError:
            raise ConfigError(
                f"{path}: needs onnxruntime, which is not installed; pip install '.[export]' in the clone"
            ) from None
        try:
            self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of errors for each fault
            raise ConfigError(
                f"{path}: cannot be read as an ONNX file ({in_one_line(f'{type(error).__name__}: {error}')})"
            ) from None
        self.input = self.session.get_inputs()[0].name

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch, computed on the CPU."""
        logits = self.session.run(None, {self.input: images.detach().cpu().numpy()})[0]
        return torch.from_numpy(logits).to(images.device)


def read_model(name: str, *, device: torch.device, results: str | Path = "results") -> Model:
    """The network of a name, on a device.

    Args:
        name: a .pt2 file of torch.export, an .onnx file, a .safetensors file of roco, the key of a retrained network,
            or `package.module:factory`, a function without arguments that returns a torch module.
        device: where it computes; an ONNX network always uses the CPU.
        results: where a key is looked up.

    Raises:
        ConfigError: there is no such network, or it cannot be read.
        ArtifactError: a file of roco is damaged.
    """
    path = Path(name).expanduser()
    if path.suffix in PICKLES:
        raise ConfigError(
            f"{name}: runs code when it is read, so it is not; write the network with torch.export.save as .pt2, or "
            "name a function that builds it and loads the weights: package.module:factory"
        )
    if path.suffix in (".pt2", ".onnx") and not path.is_file():
        raise ConfigError(f"{name}: no such file")
    if path.suffix == ".pt2":
        return Model(_exported(path, device), "torch.export file", _sha256(path))
    if path.suffix == ".onnx":
        return Model(_OnnxRuntime(path), "ONNX file, without gradients", _sha256(path))
    if ":" in name:
        network, source = _made_by(name)
        return Model(
            network.to(device), "Python function", hashlib.sha256(source + digest_of(network).encode()).hexdigest()
        )
    if not path.is_file() and not re.fullmatch(r"[0-9a-f]{4,12}", name):
        raise ConfigError(f"{name}: expected {KINDS}")
    path = find_network(name, results)
    return Model(load_network(path)[0].to(device), "network file of roco", checksum_of(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _exported(path: Path, device: torch.device) -> nn.Module:
    try:
        program = torch.export.load(path)
        if device.type != "cpu":
            from torch.export.passes import move_to_device_pass

            program = move_to_device_pass(program, device)
        return program.module()
    except Exception as error:  # a damaged archive raises anything
        raise ConfigError(
            f"{path}: cannot be read as a torch.export file ({in_one_line(f'{type(error).__name__}: {error}')})"
        ) from None


def _made_by(name: str) -> tuple[nn.Module, bytes]:
    """The network that a factory returns, and the source of the factory's file."""
    module_name, _, attribute = name.partition(":")
    # Like `python -m`: modules in the current folder can be imported.
    sys.path.insert(0, str(Path.cwd()))
    try:
        factory: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            factory = getattr(factory, part)
        network = factory()
    except RocoError:
        raise
    except Exception as error:
        raise ConfigError(f"{name}: cannot be called ({in_one_line(f'{type(error).__name__}: {error}')})") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{name}: expected a torch.nn.Module back, got {type(network).__name__}")
    file = inspect.getsourcefile(inspect.unwrap(factory))
    return network, Path(file).read_bytes() if file else b""
