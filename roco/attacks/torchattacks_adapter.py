"""The one place that runs torchattacks: evaluation mode, plain inputs, seeds, one kind of error. It judges nothing."""

import contextlib
import importlib.util
import io
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from roco.errors import AttackError
from roco.runtime import seed_from

Method = Literal[
    "fgsm", "bim", "pgd", "mifgsm", "apgd_ce", "apgd_t", "fab", "fab_t", "square", "deepfool", "cw", "cw_search",
    "onepixel",
]  # fmt: skip


def run_torchattack(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    method: Method,
    settings: Mapping[str, Any],
    seed: int,
    batch_size: int,
) -> Tensor:
    """What an attack of torchattacks makes of images; success and budget are for the caller to check.

    The network is used in evaluation mode with its parameters frozen, and left as it was. Global random numbers (torch
    and NumPy) are seeded for the attack and restored after it. Torchattacks' own normalisation is never used.

    Args:
        network: float32 images in [0, 1] to logits.
        images: float32 `(n, 3, h, w)` in [0, 1], on the network's device.
        labels: int64 `(n,)`, the true classes.
        method: which attack.
        settings: its arguments by torchattacks' names; eps and alpha in [0, 1].
        seed: of the attack; each batch has one of its own.
        batch_size: how many images are attacked at once.

    Returns:
        float32 `(n, 3, h, w)`, as the attack left it: not clipped, possibly not finite.

    Raises:
        AttackError: the attack failed on this network, or gave back another shape.
    """
    if images.dtype != torch.float32 or images.dim() != 4:
        raise AttackError(f"{method}: expected float32 images (n, 3, h, w), got {images.dtype} {tuple(images.shape)}")
    images = images.contiguous()
    results = []
    with _frozen(network), contextlib.redirect_stdout(io.StringIO()):
        attack = _build(network, method, settings=settings, device=images.device)
        for number, (batch, batch_labels) in enumerate(
            zip(images.split(batch_size), labels.split(batch_size), strict=True)
        ):
            with _seeded(seed_from(seed, number), images.device):
                # Some seed themselves, with 0 where they are not told.
                attack.seed = seed_from(seed, number)
                results.append(_attacked(attack, batch, labels=batch_labels, method=method))
    return torch.cat(results)


def _build(network: nn.Module, method: Method, *, settings: Mapping[str, Any], device: torch.device) -> Any:
    _postpone("scipy", "stats")
    import torchattacks

    from roco.attacks.carlini_wagner import SearchingCW, SteadyCW
    from roco.attacks.torchattacks_variants import (
        BatchedDeepFool,
        DecidedFAB,
        DecidedSquare,
        SmallestFAB,
        TargetedAPGD,
    )

    classes = {
        "fgsm": torchattacks.FGSM,
        "bim": torchattacks.BIM,
        "pgd": torchattacks.PGD,
        "mifgsm": torchattacks.MIFGSM,
        "apgd_ce": torchattacks.APGD,
        "apgd_t": TargetedAPGD,
        "fab": SmallestFAB,
        "fab_t": DecidedFAB,
        "square": DecidedSquare,
        "deepfool": BatchedDeepFool,
        "cw": SteadyCW,
        "cw_search": SearchingCW,
        "onepixel": torchattacks.OnePixel,
    }
    attack = classes[method](network, **settings)
    attack.set_device(device)
    return attack


def _postpone(package: str, module: str) -> None:
    """Lets a package's module be imported when something in it is first used.

    Torchattacks imports scipy.stats, which takes longer than all the rest of it, for TI-FGSM alone.
    """
    name = f"{package}.{module}"
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None and spec.loader is not None:
        spec.loader = importlib.util.LazyLoader(spec.loader)
        sys.modules[name] = postponed = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(postponed)
        # As the package's attribute, `from package import module` finds it without looking into it.
        setattr(sys.modules[package], module, postponed)


def _attacked(attack: Any, images: Tensor, *, labels: Tensor, method: str) -> Tensor:
    try:
        result: Tensor = attack(images, labels).detach()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # torchattacks raises whatever its code stumbles over
        line = " ".join(str(error).split())[:200]
        raise AttackError(f"{method}: torchattacks failed on this network: {type(error).__name__}: {line}") from error
    if result.shape != images.shape:
        raise AttackError(f"{method}: expected images {tuple(images.shape)} back, got {tuple(result.shape)}")
    return result.float()


@contextlib.contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients of the weights, which C&W and DeepFool would compute and throw away."""
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
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Global random numbers from `seed`, and as they were afterwards: torchattacks takes no generators."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)
