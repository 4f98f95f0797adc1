"""roco: robust and compact neural architecture search (RoCo-NAS, IJCNN 2021)."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__version__ = "0.3.0"


def load(path: str | Path) -> "nn.Module":
    """A trained network from a file of this project, on the CPU and in evaluation mode.

    It takes float32 images `(n, 3, h, w)` in [0, 1] and returns logits `(n, classes)`; the normalisation is inside.
    This is the calling convention of RobustBench and AutoAttack.

    Args:
        path: a `network.safetensors` below `retrained/` or `targets/`, or its copy by `roco export`.

    Raises:
        ArtifactError: the file is missing, damaged, or holds no network.
    """
    from roco.networks.files import load_network

    return load_network(path)[0]
