"""What an attack on a retrained network is: its settings, what the report says of it, its stages, and what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from roco.attacks.batches import Batch, run_in_batches
from roco.attacks.types import Network, Tensor
from roco.settings import Section
from roco.settings.levels import Eps

# What float32 may add to a budget when a step is added to a pixel and taken away again.
ROUNDING = 1e-6

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Inputs:
    """What a stage of an attack is given.

    Attributes:
        network: float32 images in [0, 1] to logits.
        images: uint8 `(n, 3, h, w)`, all classified correctly.
        labels: int64 `(n,)`.
        rows: a number for each image, which decides the random numbers of attacks that draw them image by image.
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

    # How the report calls it, with a word for each word of `method`.
    title: ClassVar[str]
    # Whether it follows the network's gradients. Where an attack without them finds more, gradients may be masked.
    uses_gradients: ClassVar[bool] = True
    # Without one an attack may go as far as it likes: its distance says something, not the accuracy that it leaves.
    has_budget: ClassVar[bool] = False

    method: str

    def stages(self) -> "Sequence[Attack]":
        """The runs that the attack consists of, each on the images that those before left right."""
        return [self]

    def without_gradients(self) -> "Attack | None":
        """What of the attack works on a network that has no gradients; None if nothing does."""
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
    """An attack that changes no value by more than `eps`; one with `restarts` has a stage for each start."""

    has_budget: ClassVar[bool] = True

    eps: Eps

    def stages(self) -> Sequence[Attack]:
        """See `Attack`."""
        return [self] * getattr(self, "restarts", 1)

    def within_budget(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """See `Attack`."""
        return (perturbed - clean).abs().flatten(1).amax(dim=1) <= self.eps / 255 + ROUNDING
