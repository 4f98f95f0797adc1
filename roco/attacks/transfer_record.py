"""What is recorded of the transfer of the test adversarial set between its targets. No torch."""

from typing import ClassVar

from roco.storage.records import Frozen, Record


class TransferPair(Frozen):
    """How often the adversarial images of a cell fool another target.

    Attributes:
        norm: of the cell.
        threshold: of the cell.
        source: the target that the images were made from.
        target: the other one.
        images: how many fool the source, and the other target had right without the perturbation.
        fooled: how many of these fool the other target.
        noise: how many of these noise of the same budget fools instead.
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
