"""What is recorded of attacks: on adversarial sets, their transfer, and a network under white-box attacks. No torch."""

from typing import Any, ClassVar

from pydantic import Field

from roco.storage.records import Frozen, Record


class CellName(Frozen):
    """A cell of an adversarial set.

    Attributes:
        target: the network that the images were made to fool.
        norm: `l0` or `linf`.
        threshold: the budget, in pixels or 1/255.
    """

    target: str
    norm: str
    threshold: int


class CellSuccesses(CellName):
    """How many images were attacked for a cell, and how many of them with success."""

    attacked: int
    successes: int


class CellErrors(CellName):
    """How many images of a cell a network gets wrong."""

    images: int
    errors: int


class TransferPair(Frozen):
    """How often the adversarial images of a cell fool another target.

    Attributes:
        source: the target that the images were made for.
        target: the other target.
        images: how many images of the cell the other target classifies correctly without the perturbation.
        fooled: how many of these fool the other target.
        noise: how many of these it gets wrong with noise of the same budget instead.
    """

    norm: str
    threshold: int
    source: str
    target: str
    images: int
    fooled: int
    noise: int


class Transfer(Record):
    """All pairs of the targets of a set, for each of its norms and thresholds."""

    kind: ClassVar[str] = "transfer"

    split: str
    dataset_fingerprint: str
    pairs: tuple[TransferPair, ...]


class AttackSummary(Frozen):
    """What an attack did to the attacked images.

    Attributes:
        method: of the attack.
        settings: of the attack, without its method.
        accuracy: share of the images that are still right.
        correct: the number of these images.
        robust_images: one character per image, 1 if it is still right.
        median_l2: median distance of the wrong image that was found, over the images that were right before, in [0, 1]
            units; infinite for images that are still right; None for an infinite median, or without such images.
        median_linf: the same in the largest change of a value.
        failures: outputs that were not finite or broke the budget.
        found_by: of an attack with stages of several methods, how many images each method turned.
    """

    optional = frozenset({"found_by"})

    method: str
    settings: dict[str, Any]
    accuracy: float
    correct: int
    robust_images: str
    median_l2: float | None
    median_linf: float | None
    failures: int
    found_by: dict[str, int] = Field(default_factory=dict)


class AccuracyCurve(Frozen):
    """Accuracy against radius.

    Attributes:
        radii: in 1/255.
        images: how many were attacked.
        accuracy: at each radius.
        robust_images: for each radius one character per image, 1 if nothing within the radius fools the network.
    """

    norm: str
    radii: tuple[float, ...]
    images: int
    accuracy: tuple[float, ...]
    robust_images: tuple[str, ...]


class SmallestPerturbations(Frozen):
    """The smallest perturbation of each image, in [0, 1] units; None if no attack succeeded.

    Attributes:
        median: over the images that were right before.
        per_image: 0 for images that were wrong from the start.
    """

    median: float | None
    per_image: tuple[float | None, ...]


class Flag(Frozen):
    """A sanity flag of the attacks."""

    name: str
    raised: bool
    detail: str


class WhiteBox(Frozen):
    """A network under white-box attacks.

    Attributes:
        images: how many test images were attacked.
        clean_accuracy: on these images.
        right_images: one character per image, 1 if it is right without an attack.
        attacks: by name.
        smallest_perturbations: by norm.
    """

    optional = frozenset({"curve", "smallest_perturbations", "flags"})

    images: int
    clean_accuracy: float
    right_images: str
    attacks: dict[str, AttackSummary]
    curve: AccuracyCurve | None = None
    smallest_perturbations: dict[str, SmallestPerturbations] = Field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
