"""An attack of the configuration as the runs that it consists of, each on what the ones before left right."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from roco.attacks.l0 import L0Attack, attack_l0
from roco.attacks.torchattacks_adapter import Method, run_torchattack
from roco.attacks.white_box_settings import (
    APGDCE,
    APGDT,
    BIM,
    CW,
    FAB,
    FABT,
    FGSM,
    L0,
    PGD,
    AutoAttack,
    CWSearch,
    DeepFool,
    Noise,
    Square,
    WhiteBoxAttack,
)
from roco.runtime import numpy_generator, torch_generator
from roco.training.loop import to_unit


@dataclass(frozen=True)
class Stage:
    """One run of an attack: its method, and its parameters by that method's names, in [0, 1] units."""

    method: Method | Literal["noise", "l0"]
    settings: dict[str, Any] = field(default_factory=dict)


def stages_of(attack: WhiteBoxAttack, *, classes: int) -> list[Stage]:
    """The runs of an attack on a network with so many classes."""
    match attack:
        case AutoAttack():
            return [stage for part in autoattack_parts(attack) for stage in stages_of(part, classes=classes)]
        case L0():
            return [Stage("l0", {"n_pixels": attack.pixels, "settings": part}) for part in attack.attacks]
        case Noise():
            return [Stage("noise", {"eps": attack.eps / 255})] * attack.draws
        case PGD() | APGDCE() | APGDT() | FABT() | Square():
            return [Stage(attack.method, _arguments(attack, classes))] * attack.restarts
        case _:
            return [Stage(attack.method, _arguments(attack, classes))]


def autoattack_parts(attack: AutoAttack) -> list[APGDCE | APGDT | FABT | Square]:
    """The standard version's four attacks in their order.

    Source: Croce and Hein 2020b, Section 5; torchattacks' own AutoAttack runs APGD and FAB for 10 steps.
    """
    steps, targets, eps = attack.steps, attack.targets, attack.eps
    return [
        APGDCE(method="apgd_ce", eps=eps, steps=steps),
        APGDT(method="apgd_t", eps=eps, steps=steps, targets=targets),
        FABT(method="fab_t", eps=eps, steps=steps, targets=targets),
        Square(method="square", eps=eps, queries=attack.queries),
    ]


def _arguments(attack: WhiteBoxAttack, classes: int) -> dict[str, Any]:
    """The parameters by torchattacks' names."""
    match attack:
        case FGSM():
            return {"eps": attack.eps / 255}
        case BIM():
            return {"eps": attack.eps / 255, "alpha": attack.alpha / 255, "steps": attack.steps}
        case PGD():
            budget = {"eps": attack.eps / 255, "alpha": attack.alpha / 255}
            return budget | {"steps": attack.steps, "random_start": True}
        case APGDCE():
            return {"eps": attack.eps / 255, "steps": attack.steps, "rho": attack.rho, "loss": "ce"}
        case APGDT():
            found = {"eps": attack.eps / 255, "steps": attack.steps, "rho": attack.rho}
            return found | {"n_classes": min(attack.targets + 1, classes)}
        case FABT():
            return _fab_arguments(attack, classes) | {"eps": attack.eps / 255, "norm": "Linf"}
        case FAB():
            norm = {"l2": "L2", "linf": "Linf"}[attack.norm]
            return _fab_arguments(attack, classes) | {"eps": None, "norm": norm, "n_restarts": attack.restarts}
        case Square():
            return {"eps": attack.eps / 255, "n_queries": attack.queries, "p_init": attack.share}
        case DeepFool():
            return {"steps": attack.steps, "overshoot": attack.overshoot}
        case CW():
            return {"c": attack.c, "kappa": attack.kappa, "steps": attack.steps, "lr": attack.learning_rate}
        case CWSearch():
            found = {"c": attack.c, "searches": attack.searches, "steps": attack.steps}
            return found | {"patience": attack.patience, "lr": attack.learning_rate}
        case _:
            raise TypeError(f"{attack.method} is not an attack of torchattacks")


def _fab_arguments(attack: FABT | FAB, classes: int) -> dict[str, Any]:
    known = {"steps": attack.steps, "alpha_max": attack.alpha_max, "eta": attack.eta, "beta": attack.beta}
    return known | {"multi_targeted": True, "n_classes": min(attack.targets + 1, classes)}


def run_stage(
    stage: Stage,
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    rows: Sequence[int],
    seed: int,
    batch_size: int,
) -> Tensor:
    """What a run makes of images; success and budget are for the caller to check.

    Args:
        stage: the run.
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, all classified correctly.
        labels: int64 `(n,)`.
        rows: a number for each image, which decides its own random numbers where it has some.
        seed: of the run.
        batch_size: how many images at once.

    Returns:
        float32 `(n, 3, h, w)`, as the run left it.

    Raises:
        AttackError: the attack failed on this network.
    """
    if stage.method == "noise":
        generator = torch_generator(seed)
        signs = 2.0 * torch.randint(0, 2, images.shape, generator=generator) - 1.0
        noise: Tensor = stage.settings["eps"] * signs.to(images.device)
        return (to_unit(images) + noise).clamp(0, 1)
    if stage.method == "l0":
        return to_unit(_pixels_changed(network, images, labels=labels, rows=rows, seed=seed, **stage.settings))
    return run_torchattack(
        network,
        to_unit(images),
        labels=labels,
        method=stage.method,
        settings=stage.settings,
        seed=seed,
        batch_size=batch_size,
    )


def _pixels_changed(
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor,
    rows: Sequence[int],
    seed: int,
    n_pixels: int,
    settings: L0Attack,
) -> Tensor:
    generators = [numpy_generator(seed, row) for row in rows]
    return attack_l0(network, images, labels=labels, n_pixels=n_pixels, settings=settings, generators=generators)
