"""All white-box attacks of a study on one network, and what follows from them together: curve, distances, flags."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from roco.attacks.norms import gradient_batch
from roco.attacks.outcome import Array, Outcome, marks, nearest
from roco.attacks.protocol.attacked import Attacked, Memory
from roco.attacks.protocol.curve import curve_of, smallest_of
from roco.attacks.protocol.flags import Evidence, Gap, flags_of
from roco.attacks.records import Flag, WhiteBox
from roco.attacks.settings import RobustnessConfig
from roco.attacks.white_box import WITHOUT_GRADIENTS
from roco.attacks.white_box.attack import Attack
from roco.attacks.white_box.autoattack import AutoAttack
from roco.attacks.white_box.bim import BIM
from roco.attacks.white_box.judge import predictions_of, summary
from roco.attacks.white_box.pgd import PGD
from roco.data.dataset import Split
from roco.runtime import numpy_generator
from roco.training.batches import to_unit


def evaluate_robustness(
    network: nn.Module,
    split: Split,
    *,
    config: RobustnessConfig,
    device: torch.device,
    memory: Memory | None = None,
    transferred: Mapping[int, float] | None = None,
) -> WhiteBox:
    """Runs the configured attacks on a network, on images that are the same for every network.

    Args:
        network: float32 images in [0, 1] to logits.
        split: the images, of which `config.images` are drawn; those that all attacks see come first.
        config: the attacks by name, and what else is asked for.
        device: where to work.
        memory: of chunks that were finished before.
        transferred: for an image's index in the split, the smallest Linf perturbation in [0, 1] units that was made for
            another network and fools this network; infinite if none does, no entry if none was made.

    Returns:
        What the attacks did. The curve and the smallest perturbations are over everything that was run.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    order = numpy_generator(config.seed, "white-box images").permutation(len(split))
    few = min(config.images_for(), len(order))
    chosen = np.concatenate([np.sort(order[:few]), np.sort(order[few : config.images])])
    images, labels = (torch.from_numpy(array[chosen]).to(device) for array in (split.images, split.labels))
    attacked = Attacked(network.to(device), images, labels, config.seed, memory or Memory())
    right = predictions_of(network, to_unit(images), batch_size=gradient_batch(device)) == labels
    named = {
        name: attacked.first(config.images_for(name)).attacked_by(name, attack)
        for name, attack in config.attacks.items()
    }
    part, of_part = attacked.first(few), {name: outcome.first(few) for name, outcome in named.items()}
    smallest = part.attacked_by_all(config.smallest_perturbations, prefix="smallest ", shrink=True)
    radii = [part.radii(config.curve)] if config.curve else []
    checked = part.attacked_by_all(config.checks.attacks() if config.checks else {}, prefix="check ")
    everything = [*of_part.values(), *smallest.values(), *radii, *checked.values()]
    distances = {norm: nearest([getattr(outcome, norm) for outcome in everything]) for norm in ("l2", "linf")}
    by_transfer = np.array([(transferred or {}).get(int(index), np.nan) for index in chosen[:few]])
    return WhiteBox(
        images=len(images),
        clean_accuracy=float(right.double().mean()),
        right_images=marks(right.cpu().numpy()),
        attacks={name: summary(config.attacks[name], outcome) for name, outcome in named.items()},
        curve=curve_of(distances["linf"], config.curve) if config.curve else None,
        smallest_perturbations={norm: smallest_of(each) for norm, each in distances.items()} if smallest else {},
        flags=_flags(part, config, named=of_part, checked=checked, everything=everything, transferred=by_transfer),
    )


def _flags(
    attacked: Attacked,
    config: RobustnessConfig,
    *,
    named: Mapping[str, Outcome],
    checked: Mapping[str, Outcome],
    everything: Sequence[Outcome],
    transferred: Array,
) -> tuple[Flag, ...]:
    """The flags, if the study asks for checks; see `Evidence`."""
    if config.checks is None:
        return ()
    evidence = Evidence(
        checks=checked,
        white_box=nearest([outcome.linf_without(WITHOUT_GRADIENTS) for outcome in everything]),
        square=nearest([outcome.linf_by(["square"]) for outcome in everything]),
        without_budget={name: outcome for name, outcome in named.items() if not config.attacks[name].has_budget},
        gaps=_gaps({**config.attacks, **config.checks.attacks()}, {**named, **checked}),
        repeated=attacked.repeated(config.attacks, named),
        transferred=transferred,
        failures=sum(outcome.failures for outcome in everything),
        **attacked.gradients(),
    )
    return flags_of(evidence, config.checks)


def _gaps(attacks: Mapping[str, Attack], outcomes: Mapping[str, Outcome]) -> list[Gap]:
    """AutoAttack beside PGD and BIM of the same budget (the worst case of these)."""
    gaps = []
    for name, attack in attacks.items():
        if not isinstance(attack, AutoAttack):
            continue
        rivals = [
            outcomes[other].linf
            for other, rival in attacks.items()
            if isinstance(rival, PGD | BIM) and rival.eps == attack.eps
        ]
        if rivals:
            held = int(np.isinf(nearest(rivals)).sum())
            gaps.append(Gap(attack.eps, pgd=held, autoattack=int(outcomes[name].robust.sum())))
    return gaps
