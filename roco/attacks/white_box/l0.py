"""A few pixels changed in any way, by the L0 attacks of the adversarial sets."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from roco.attacks.l0 import L0Attack, attack_l0
from roco.attacks.l0.counter import keys_of
from roco.attacks.norms import changed_pixels
from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import Attack, Inputs
from roco.settings import Count


class L0(Attack):
    """Attacks that change at most `pixels` pixels in any way; the worst case of several."""

    title: ClassVar[str] = "L0"
    # Some of `attacks` do, but an unbounded change of few pixels says nothing about the gradients of Linf attacks.
    uses_gradients: ClassVar[bool] = False
    has_budget: ClassVar[bool] = True
    method: Literal["l0"]
    pixels: Count
    attacks: Annotated[list[L0Attack], Field(min_length=1)]

    def stages(self) -> Sequence[Attack]:
        """See `Attack`; each of `attacks` is a stage."""
        return [self.model_copy(update={"attacks": [attack]}) for attack in self.attacks]

    def without_gradients(self) -> "L0 | None":
        """See `Attack`: what `attacks` can do without gradients."""
        blind = [part for attack in self.attacks if (part := attack.without_gradients())]
        return self.model_copy(update={"attacks": blind}) if blind else None

    def perturb_all(self, inputs: Inputs) -> Tensor:
        """See `Attack`; a stage has a single attack."""
        from roco.training.batches import to_unit

        perturbed = attack_l0(
            inputs.network,
            inputs.images,
            labels=inputs.labels,
            n_pixels=self.pixels,
            settings=self.attacks[0],
            keys=keys_of(inputs.seed, rows=inputs.rows, device=inputs.images.device),
        )
        return to_unit(perturbed)

    def within_budget(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """See `Attack`."""
        return changed_pixels(clean, perturbed) <= self.pixels
