"""Adversarial training: the perturbed images that a step trains on, and its loss.

Each step makes the images anew, from augmented images, for the present weights. Each network of a stack has its own
images. Values stay in [0, 1] and are not rounded.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol

from pydantic import Field

from roco.settings import Count, NonNegative, Recipe, Section
from roco.settings.levels import Eps, Step

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# The deviation of the noise that TRADES starts from, in [0, 1]: at the clean image its objective has no gradient.
TRADES_NOISE = 0.001


class Learner(Protocol):
    """A network, or a stack of them, in training."""

    def logits(self, images: "Tensor") -> "Tensor":
        """Float32 images in [0, 1] to logits `(n, classes)`, of a stack `(n, K, classes)`."""

    def own(self, images: "Tensor") -> "Tensor":
        """Images `(n, c, h, w)` that the networks of a stack share, as `(n, K * c, h, w)`; other images unchanged."""

    def cross_entropies(self, logits: "Tensor", labels: "Tensor") -> "Tensor":
        """Each network's loss, summed over the images."""

    def crafting(self) -> AbstractContextManager[None]:
        """A context in which passes leave weights without gradients, and running statistics as they are."""


class AdversarialTraining(Section):
    """A kind of adversarial training. The weights of the last epoch are the result, as everywhere.

    Robust accuracy on test images falls again late in a training (robust overfitting, Rice et al. 2020). Choosing an
    epoch would gain much, but nothing is chosen on test images.
    """

    title: ClassVar[str]

    method: str
    eps: Eps = 8.0
    alpha: Step = 2.0
    steps: Count = 10

    @property
    def passes(self) -> int:
        """How many times as many passes a training step has as a step of standard training."""
        return self.steps + 1

    @property
    def in_words(self) -> str:
        """The training and its settings, for the card of a network and the report."""
        others = {name: value for name, value in self.model_dump().items() if name != "method"}
        settings = ", ".join(f"{name} {value:g}" for name, value in others.items())
        return f"{self.title} ({settings}; eps and alpha in 1/255)"

    def draw(self, noise: "Tensor", generator: "torch.Generator") -> None:
        """Fills a tensor with the noise that is added to clean images first."""
        raise NotImplementedError

    def losses(self, learner: Learner, clean: "Tensor", labels: "Tensor", noise: "Tensor") -> "Tensor":
        """Each network's loss, summed over the images.

        Args:
            clean: float32 `(n, c, h, w)`, or `(n, K * c, h, w)`, in [0, 1].
            labels: int64 `(n,)`, or `(n, K)`.
            noise: as `draw` fills it, of the shape of `clean`.
        """
        raise NotImplementedError

    def _ascend(
        self, learner: Learner, clean: "Tensor", noise: "Tensor", objective: "Callable[[Tensor], Tensor]"
    ) -> "Tensor":
        """Images in [0, 1], within `eps` of the clean images, that raise an objective: steps along the gradient's sign.

        The objective is a sum over images and networks. So each image of each network has its own gradient, apart from
        the batch statistics: batch normalisation uses those of the perturbed images, as the training step does, and as
        the code of Madry et al. and Rice et al. does. The code of TRADES uses running statistics; Pang et al. 2021 saw
        little difference in robustness.
        """
        import torch

        eps, alpha = self.eps / 255, self.alpha / 255
        clean, noise = learner.own(clean), learner.own(noise)
        low, high = (clean - eps).clamp_(min=0), (clean + eps).clamp_(max=1)
        images = torch.clamp(clean + noise, low, high)
        for _ in range(self.steps):
            images.requires_grad_()
            [gradient] = torch.autograd.grad(objective(learner.logits(images)), images)
            images = torch.clamp(images.detach() + alpha * gradient.sign(), low, high)
        return images


class PGDTraining(AdversarialTraining):
    """Training on images perturbed by PGD instead of clean images (Madry et al. 2018)."""

    title: ClassVar[str] = "PGD training"

    method: Literal["pgd"]
    steps: Count = 7

    def draw(self, noise: "Tensor", generator: "torch.Generator") -> None:
        """See `AdversarialTraining`: anywhere within the budget."""
        noise.uniform_(-self.eps / 255, self.eps / 255, generator=generator)

    def losses(self, learner: Learner, clean: "Tensor", labels: "Tensor", noise: "Tensor") -> "Tensor":
        """See `AdversarialTraining`: the cross-entropy of the perturbed images."""
        with learner.crafting():
            images = self._ascend(learner, clean, noise, lambda logits: learner.cross_entropies(logits, labels).sum())
        return learner.cross_entropies(learner.logits(images), labels)


class TRADESTraining(AdversarialTraining):
    """Training on clean images, and towards the same logits on perturbed images with weight `beta` (Zhang et al. 2019).

    Attributes:
        beta: weight of the divergence between clean and perturbed images against the clean loss
    """

    title: ClassVar[str] = "TRADES"

    method: Literal["trades"]
    beta: NonNegative = 6.0

    @property
    def passes(self) -> int:
        """See `AdversarialTraining`: the clean images pass as well, forward only while images are made."""
        return self.steps + 2

    def draw(self, noise: "Tensor", generator: "torch.Generator") -> None:
        """See `AdversarialTraining`."""
        noise.normal_(0, TRADES_NOISE, generator=generator)

    def losses(self, learner: Learner, clean: "Tensor", labels: "Tensor", noise: "Tensor") -> "Tensor":
        """See `AdversarialTraining`: clean cross-entropy and `beta` times the divergence."""
        import torch

        with learner.crafting():
            with torch.no_grad():
                at_clean = learner.logits(clean)
            images = self._ascend(learner, clean, noise, lambda logits: _divergences(at_clean, logits).sum())
        at_clean = learner.logits(clean)
        divergences = _divergences(at_clean, learner.logits(images))
        return learner.cross_entropies(at_clean, labels) + self.beta * divergences


def _divergences(clean: "Tensor", perturbed: "Tensor") -> "Tensor":
    """Kullback-Leibler divergence of the classes at perturbed images from those at clean images, summed over images.

    Logits are `(n, classes)`, or `(n, K, classes)`; the result is `(1,)`, or `(K,)`.
    """
    from torch.nn import functional as F

    # In logarithms: the gradient of a probability that is rounded to zero would not be finite.
    at_clean, at_perturbed = F.log_softmax(clean, dim=-1), F.log_softmax(perturbed, dim=-1)
    return F.kl_div(at_perturbed, at_clean, reduction="none", log_target=True).sum(-1).sum(0).reshape(-1)


AnyAdversarialTraining = Annotated[PGDTraining | TRADESTraining, Field(discriminator="method")]


class AdversarialRecipe(Recipe):
    """A recipe with adversarial training."""

    adversarial: AnyAdversarialTraining
