"""What is recorded of a target: the content of its metrics.json."""

from typing import ClassVar, Literal

from roco.storage.records import Record


class TargetMetrics(Record):
    """A trained target and its errors; nothing was chosen on validation or test images.

    Attributes:
        split: the split whose adversarial images are made from the target.
        seed: of weights and order.
        architecture: the target's width, depth and so on.
        train_loss: the mean loss of each epoch.
        seconds: the duration of the training.
    """

    kind: ClassVar[str] = "target"

    target: str
    split: Literal["validation", "test"]
    seed: int
    architecture: dict[str, int | float]
    parameters: int
    epochs: int
    precision: str
    train_loss: tuple[float, ...]
    validation_error: float
    test_error: float
    seconds: float
