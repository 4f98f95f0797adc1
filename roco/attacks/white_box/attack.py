"""What an attack on a retrained network is: its settings, what the report says of it, its stages, and what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from roco.attacks.batches import Batch, run_in_batches
from roco.attacks.types import Network, Tensor
from roco.settings import Section
from roco.settings.levels import Eps

# Rounding in float32 may exceed a budget by this when a step is added to a pixel and subtracted again.
ROUNDING = 1e-6

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Inputs:
    """The input of an attack's stage.

    Attributes:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, all classified correctly.
        labels: int64 `(n,)`.
        rows: one number per image, which seeds the attacks that draw random numbers image by image.
        seed: of the stage.
        batch_size: how many images at once.
    """

    network: Network
    images: Tensor
    labels: Tensor
    rows: Sequence[int]
    seed: int
    batch_size: int


class Attack(Section):
    """An attack by its settings, which are the fields of the class.

    A new attack needs a `method`, a `title` and `perturb`, and a line in the list of the package.
    """

    # Its title in the report, with one word for each word of `method`.
    title: ClassVar[str]
    # Whether it follows the network's gradients. If an attack without gradients finds more, gradients may be masked.
    uses_gradients: ClassVar[bool] = True
    # An attack without a budget may go any distance: its distances mean something, the accuracy under it does not.
    has_budget: ClassVar[bool] = False

    method: str

    def stages(self) -> "Sequence[Attack]":
        """The runs that the attack consists of, each on the images that those before left right."""
        return [self]

    def without_gradients(self) -> "Attack | None":
        """The part of the attack that works on a network without gradients; None if there is no such part."""
        return None if self.uses_gradients else self

    def perturb(self, batch: Batch) -> Tensor:
        """Perturbed images float32 `(n, 3, h, w)` of a batch; the caller clips and judges them."""
        raise NotImplementedError

    def perturb_all(self, inputs: Inputs) -> Tensor:
        """Perturbed images float32 `(n, 3, h, w)`, batch by batch.

        Raises:
            AttackError: the attack failed on this network.
        """
        from roco.training.batches import to_unit

        return run_in_batches(
            self.perturb,
            inputs.network,
            to_unit(inputs.images),
            labels=inputs.labels,
            method=self.method,
            seed=inputs.seed,
            batch_size=inputs.batch_size,
        )

    def within_budget(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """Which perturbed images keep the budget, bool `(n,)`; both are float32 in [0, 1]."""
        del clean
        return perturbed.new_ones(len(perturbed)).bool()


class LinfBudget(Attack):
    """An attack that changes no value by more than `eps`; with `restarts`, each start is a stage."""

    has_budget: ClassVar[bool] = True

    eps: Eps

    def stages(self) -> Sequence[Attack]:
        """See `Attack`."""
        return [self] * getattr(self, "restarts", 1)

    def within_budget(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """See `Attack`."""
        return (perturbed - clean).abs().flatten(1).amax(dim=1) <= self.eps / 255 + ROUNDING
