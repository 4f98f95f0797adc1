"""Random noise: the control for all other attacks."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from roco.attacks.types import Tensor
from roco.attacks.white_box.attack import Attack, Inputs, LinfBudget
from roco.runtime import torch_generator
from roco.settings import Count


class Noise(LinfBudget):
    """The control: every value up or down by `eps` at random, the worst of `draws` draws."""

    title: ClassVar[str] = "noise"
    uses_gradients: ClassVar[bool] = False
    method: Literal["noise"]
    draws: Count = 10

    def stages(self) -> Sequence[Attack]:
        """See `Attack`; a stage for each draw."""
        return [self] * self.draws

    def perturb_all(self, inputs: Inputs) -> Tensor:
        """See `Attack`; one draw."""
        import torch

        from roco.training.batches import to_unit

        generator = torch_generator(inputs.seed)
        signs = 2.0 * torch.randint(0, 2, inputs.images.shape, generator=generator) - 1.0
        noise = self.eps / 255 * signs.to(inputs.images.device)
        return (to_unit(inputs.images) + noise).clamp(0, 1)
