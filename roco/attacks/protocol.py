"""All white-box attacks of a study on one network, chunk by chunk, so that what is done outlives an interruption."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from roco.attacks.norms import gradient_batch
from roco.attacks.outcome import Outcome, marks, nearest
from roco.attacks.radius import curve_of, search_radii, smallest_of
from roco.attacks.sanity import OTHER_BATCH, Evidence, Gap, check_attacks, flags_of, probe_gradients
from roco.attacks.white_box import attack_white_box, predictions_of, summary
from roco.attacks.white_box_settings import (
    BIM,
    PGD,
    AutoAttack,
    CurveConfig,
    RobustnessConfig,
    WhiteBoxAttack,
    without_budget,
)
from roco.data.dataset import Split
from roco.runtime import numpy_generator, seed_from
from roco.training.loop import to_unit

log = logging.getLogger("roco")

# Batches in a chunk: some minutes of a long attack on a CPU, enough to fill a GPU.
BATCHES = 4

Part = dict[str, Any]

# Methods of runs that do not follow the network's gradients in L-infinity; those of AutoAttack are told apart.
BLIND = ("square", "noise", "l0")
# Attacks without a budget are repeated on so many images in batches of another size.
REPEATED = 16


class Memory:
    """What has been done of a piece of work. This one forgets; a store's does not."""

    def read(self, settings: Mapping[str, Any]) -> list[Part]:
        """The finished chunks of the work with these settings, from the first on."""
        del settings
        return []

    def write(self, settings: Mapping[str, Any], chunks: Sequence[Part]) -> None:
        """Keeps the chunks that are finished so far."""


@dataclass(frozen=True)
class Attacked:
    """A network and the images that it is attacked on, on one device: uint8 `(n, 3, h, w)`, labels int64 `(n,)`."""

    network: nn.Module
    images: Tensor
    labels: Tensor
    seed: int
    memory: Memory

    def by_chunk(self, settings: Mapping[str, Any], work: Callable[[Tensor, Tensor, int], Part]) -> list[Part]:
        """Does a piece of work on all images, a chunk after the other; what the memory has is not done again.

        Args:
            settings: what decides the outcome, beside the network and the images.
            work: the outcome on a chunk's images with their labels, from a seed of the chunk's own.
        """
        size = BATCHES * gradient_batch(self.images.device)
        pairs = list(zip(self.images.split(size), self.labels.split(size), strict=True))
        chunks = self.memory.read(settings)[: len(pairs)]
        for number in range(len(chunks), len(pairs)):
            images, labels = pairs[number]
            chunks = [*chunks, work(images, labels, seed_from(self.seed, "white-box", settings["name"], number))]
            self.memory.write(settings, chunks)
            if len(pairs) > 1:
                log.info("%s: %d of %d chunks", settings["name"], number + 1, len(pairs))
        return chunks

    def attacked_by(
        self, name: str, attack: WhiteBoxAttack, *, shrink: bool = False, batch_size: int | None = None
    ) -> Outcome:
        """What an attack does to the images; see `attack_white_box`."""

        def work(images: Tensor, labels: Tensor, seed: int) -> Part:
            options: dict[str, Any] = {"seed": seed, "shrink": shrink, "batch_size": batch_size}
            return attack_white_box(self.network, images, labels=labels, attack=attack, **options).to_json()

        settings = {"name": name, "attack": attack.model_dump(), "shrink": shrink}
        outcome = Outcome.from_json(self.by_chunk(settings, work))
        log.info("%s: %.1f %% of %d images still right", name, 100 * outcome.robust.mean(), len(self.images))
        return outcome

    def attacked_by_all(
        self, attacks: Mapping[str, WhiteBoxAttack], *, prefix: str = "", shrink: bool = False
    ) -> dict[str, Outcome]:
        """What each attack does to the images, by its name; `prefix` keeps equal names of different purposes apart."""
        return {name: self.attacked_by(f"{prefix}{name}", attack, shrink=shrink) for name, attack in attacks.items()}

    def radii(self, config: CurveConfig) -> Outcome:
        """The nearest wrong images that the search for each image's radius found."""

        def work(images: Tensor, labels: Tensor, seed: int) -> Part:
            return search_radii(self.network, images, labels=labels, config=config, seed=seed).to_json()

        return Outcome.from_json(self.by_chunk({"name": "curve", "curve": config.model_dump()}, work))

    def repeated(self, attacks: Mapping[str, WhiteBoxAttack], outcomes: Mapping[str, Outcome]) -> dict[str, int]:
        """Of some images, how many have another verdict when an attack without a budget is run in smaller batches."""
        few = replace(self, images=self.images[:REPEATED], labels=self.labels[:REPEATED])
        again = {
            name: few.attacked_by(f"batches {name}", attack, batch_size=OTHER_BATCH)
            for name, attack in attacks.items()
            if without_budget(attack) and getattr(attack, "restarts", 1) == 1
        }
        return {name: int((found.robust != outcomes[name].robust[:REPEATED]).sum()) for name, found in again.items()}

    def gradients(self) -> dict[str, int]:
        """How many images have no gradient (`zero_gradients`), something not finite (`broken`), another class in
        smaller batches (`unsteady`)."""

        def work(images: Tensor, labels: Tensor, seed: int) -> Part:
            del seed
            return probe_gradients(self.network, images, labels=labels, batch_size=gradient_batch(images.device))

        parts = self.by_chunk({"name": "gradients"}, work)
        counts = {name: sum(part[name].count("1") for part in parts) for name in ("zero", "broken", "unsteady")}
        return {"zero_gradients": counts["zero"], "broken": counts["broken"], "unsteady": counts["unsteady"]}


def evaluate_robustness(
    network: nn.Module,
    split: Split,
    *,
    config: RobustnessConfig,
    device: torch.device,
    memory: Memory | None = None,
    transferred: Mapping[int, float] | None = None,
) -> dict[str, Any]:
    """Runs the configured attacks on a network, on images that are the same for every network.

    Args:
        network: float32 images in [0, 1] to logits.
        split: the images, of which `config.images` are drawn.
        config: the attacks by name, and what else is asked for.
        device: where to work.
        memory: of what was done before.
        transferred: by an image's place in the split, the smallest Linf perturbation in [0, 1] units, made for another
            network, that fools this one; infinite where none does, without an entry where none was made.

    Returns:
        `images` (how many), `clean_accuracy`, `right_images` (a character an image, 1 where it is right), and
        `attacks`: for each name what `summary` gives. With `config.curve` `curve` as `curve_of` gives it, with
        `config.smallest_perturbations` `smallest_perturbations`: for `l2` and `linf` what `smallest_of` gives; both
        over all that was run. With `config.checks` `flags`.

    Raises:
        AttackError: an attack cannot be run on this network.
    """
    order = numpy_generator(config.seed, "white-box images").permutation(len(split))
    chosen = np.sort(order[: config.images])
    images, labels = (torch.from_numpy(array[chosen]).to(device) for array in (split.images, split.labels))
    attacked = Attacked(network.to(device), images, labels, config.seed, memory or Memory())
    right = predictions_of(network, to_unit(images), batch_size=gradient_batch(device)) == labels
    named = attacked.attacked_by_all(config.attacks)
    smallest = attacked.attacked_by_all(config.smallest_perturbations, prefix="smallest ", shrink=True)
    radii = [attacked.radii(config.curve)] if config.curve else []
    checks = check_attacks(config.checks) if config.checks else {}
    checked = attacked.attacked_by_all(checks, prefix="check ")
    everything = [*named.values(), *smallest.values(), *radii, *checked.values()]
    result: dict[str, Any] = {
        "images": len(images),
        "clean_accuracy": float(right.double().mean()),
        "right_images": marks(right.cpu().numpy()),
        "attacks": {name: summary(config.attacks[name], outcome) for name, outcome in named.items()},
    }
    if config.curve:
        result["curve"] = curve_of(nearest([outcome.linf for outcome in everything]), config.curve)
    if smallest:
        distances = {norm: nearest([getattr(outcome, norm) for outcome in everything]) for norm in ("l2", "linf")}
        result["smallest_perturbations"] = {norm: smallest_of(found) for norm, found in distances.items()}
    if config.checks:
        evidence = Evidence(
            checks=checked,
            white_box=nearest([outcome.linf_by(BLIND, others=True) for outcome in everything]),
            square=nearest([outcome.linf_by(("square",)) for outcome in everything]),
            without_budget={name: found for name, found in named.items() if without_budget(config.attacks[name])},
            gaps=_gaps({**config.attacks, **checks}, {**named, **checked}),
            repeated=attacked.repeated(config.attacks, named),
            transferred=np.array([(transferred or {}).get(int(place), np.nan) for place in chosen]),
            failures=sum(outcome.failures for outcome in everything),
            **attacked.gradients(),
        )
        result["flags"] = flags_of(evidence, config.checks)
    return result


def _gaps(attacks: Mapping[str, WhiteBoxAttack], outcomes: Mapping[str, Outcome]) -> list[Gap]:
    """AutoAttack beside PGD (or BIM) of the same budget, the worst case of all of them."""
    found = []
    for name, attack in attacks.items():
        if isinstance(attack, AutoAttack):
            plain = [
                outcomes[other].linf
                for other, rival in attacks.items()
                if isinstance(rival, PGD | BIM) and rival.eps == attack.eps
            ]
            if plain:
                left = int(np.isinf(nearest(plain)).sum())
                found.append(Gap(attack.eps, pgd=left, autoattack=int(outcomes[name].robust.sum())))
    return found
