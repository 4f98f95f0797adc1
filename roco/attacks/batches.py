"""How an attack is run on a network: batch by batch, in evaluation mode, from seeds. Nothing is judged here."""

import contextlib
import importlib.util
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from roco.attacks.types import Network, Tensor, TorchDevice
from roco.errors import AttackError, in_one_line
from roco.runtime import seed_from


@dataclass(frozen=True)
class Batch:
    """What an attack is given at once.

    Attributes:
        network: float32 images in [0, 1] to logits, in evaluation mode, its weights frozen.
        images: float32 `(n, 3, h, w)` in [0, 1].
        labels: int64 `(n,)`, the true classes.
        seed: of this batch. Torch's and NumPy's global random numbers are seeded with it as well.
    """

    network: Network
    images: Tensor
    labels: Tensor
    seed: int

    @property
    def classes(self) -> int:
        """How many classes the network knows."""
        import torch

        with torch.no_grad():
            return int(self.network(self.images[:1]).shape[1])


def run_in_batches(
    perturb: Callable[[Batch], Tensor],
    network: Network,
    images: Tensor,
    *,
    labels: Tensor,
    method: str,
    seed: int,
    batch_size: int,
) -> Tensor:
    """The images that an attack returns; the caller checks success and budget.

    The network is used in evaluation mode with its parameters frozen, and left as it was. Global random numbers (torch
    and NumPy) are seeded for the attack and restored after it.

    Args:
        perturb: the attack: a batch to float32 images of the same shape.
        network: float32 images in [0, 1] to logits.
        images: float32 `(n, 3, h, w)` in [0, 1], on the network's device.
        labels: int64 `(n,)`, the true classes.
        method: the attack's name, for messages.
        seed: of the attack; each batch has a seed of its own.
        batch_size: how many images are attacked at once.

    Returns:
        float32 `(n, 3, h, w)`, as the attack left it: not clipped, possibly not finite.

    Raises:
        AttackError: the attack failed on this network, or returned another shape.
    """
    import torch

    if images.dtype != torch.float32 or images.dim() != 4:
        raise AttackError(f"{method}: expected float32 images (n, 3, h, w), got {images.dtype} {tuple(images.shape)}")
    pairs = zip(images.contiguous().split(batch_size), labels.split(batch_size), strict=True)
    results = []
    # Torchattacks prints.
    with _frozen(network), contextlib.redirect_stdout(io.StringIO()):
        for number, (batch_images, batch_labels) in enumerate(pairs):
            batch = Batch(network, batch_images, batch_labels, seed_from(seed, number))
            with _seeded(batch.seed, images.device):
                results.append(_perturbed(perturb, batch, method=method))
    return torch.cat(results)


def _perturbed(perturb: Callable[[Batch], Tensor], batch: Batch, *, method: str) -> Tensor:
    import torch

    try:
        result = perturb(batch).detach()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # torchattacks raises whatever its code stumbles over
        line = in_one_line(error)
        raise AttackError(f"{method}: the attack failed on this network: {type(error).__name__}: {line}") from error
    if result.shape != batch.images.shape:
        raise AttackError(f"{method}: expected images {tuple(batch.images.shape)} back, got {tuple(result.shape)}")
    return result.float()


def torchattack(batch: Batch, attack: str | type, **settings: Any) -> Tensor:
    """The images that an attack of torchattacks returns. Torchattacks' own normalisation is never used.

    Args:
        batch: what is attacked.
        attack: the name of a class of torchattacks, or a class derived from one.
        settings: its arguments by torchattacks' names; eps and alpha in [0, 1].
    """
    postpone_scipy_stats()
    import torchattacks

    kind = getattr(torchattacks, attack) if isinstance(attack, str) else attack
    attacker = kind(batch.network, **settings)
    attacker.set_device(batch.images.device)
    # Some attacks seed themselves, with 0 unless they are told otherwise.
    attacker.seed = batch.seed
    perturbed: Tensor = attacker(batch.images, batch.labels)
    return perturbed


def postpone_scipy_stats() -> None:
    """Lets scipy.stats be imported when something in it is first used.

    Torchattacks imports it for TI-FGSM alone, and that takes longer than all the rest of torchattacks.
    """
    import scipy

    name = "scipy.stats"
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None and spec.loader is not None:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules[name] = postponed = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(postponed)
        # `from scipy import stats` finds an attribute of the package without looking into the module.
        scipy.stats = postponed


@contextlib.contextmanager
def _frozen(network: Network) -> Iterator[None]:
    """Evaluation mode, and no gradients of the weights: attacks such as C&W would compute them and throw them away."""
    training = [module for module in network.modules() if module.training]
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.eval()
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module in training:
            module.training = True
        for parameter in learning:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def _seeded(seed: int, device: TorchDevice) -> Iterator[None]:
    """Global random numbers from `seed`, and afterwards as they were: torchattacks takes no generators."""
    import torch

    state = np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)
