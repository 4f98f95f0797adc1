"""Torchattacks' DeepFool and C&W without their traps. Import it late: torchattacks costs seconds."""

import torch
import torchattacks
from torch import Tensor


class BatchedDeepFool(torchattacks.DeepFool):  # type: ignore[misc]
    """DeepFool step by step for a whole batch; images that are misclassified leave it.

    Differs from torchattacks, which runs image by image: an image without any gradient stays as it is (there: NaN).
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Perturbed images of the same shape."""
        found = images.clone().detach()
        active = torch.arange(len(images), device=images.device)
        for _ in range(self.steps):
            start = found[active].requires_grad_()
            logits = self.get_logits(start)
            right = logits.argmax(dim=1) == labels[active]
            if not right.any():
                break
            gradients = _jacobian(logits, start)[right]
            active = active[right]
            step = _nearest_boundary(logits.detach()[right], gradients, labels[active])
            found[active] = (found[active] + (1 + self.overshoot) * step).clamp(0, 1)
        return found


def _jacobian(logits: Tensor, images: Tensor) -> Tensor:
    """Gradients of each logit `(n, classes, c, h, w)`."""
    classes = logits.shape[1]
    rows = [
        torch.autograd.grad(logits[:, number].sum(), images, retain_graph=number + 1 < classes)[0]
        for number in range(classes)
    ]
    return torch.stack(rows, dim=1)


def _nearest_boundary(logits: Tensor, gradients: Tensor, labels: Tensor) -> Tensor:
    """The L2 step to the nearest boundary of the linearised network (Moosavi-Dezfooli et al. 2016, Algorithm 2)."""
    rows = torch.arange(len(labels), device=labels.device)
    gaps = (logits - logits[rows, labels][:, None]).abs()
    normals = gradients - gradients[rows, labels][:, None]
    lengths = normals.flatten(2).norm(dim=2)
    distances = torch.where(lengths > 0, gaps / lengths, torch.inf)
    distances[rows, labels] = torch.inf
    nearest = distances.argmin(dim=1)
    length = lengths[rows, nearest]
    scale = torch.where(length > 0, gaps[rows, nearest] / length**2, 0.0)
    return scale[:, None, None, None] * normals[rows, nearest]


class _Steps(int):
    """A number of steps whose tenth is itself, so that torchattacks looks at step 0 only whether to stop early."""

    def __floordiv__(self, other: int) -> int:
        return int(self)


class SteadyCW(torchattacks.CW):  # type: ignore[misc]
    """C&W with the right margin and without an early stop.

    Differs from torchattacks: its margin takes 0 for the best wrong logit when all are negative; it stops all images
    as soon as the sum of their losses rises, so that a result depends on its batch; black and white pixels have an
    infinite start, which no step can leave (here 0.999999 of the range is used, as in the authors' code).
    """

    def __init__(self, model: torch.nn.Module, *, c: float, kappa: float, steps: int, lr: float) -> None:
        super().__init__(model, c=c, kappa=kappa, steps=steps, lr=lr)
        self.steps = _Steps(steps)

    def inverse_tanh_space(self, x: Tensor) -> Tensor:
        """Images in [0, 1] to unbounded ones."""
        return torch.atanh((2 * x - 1) * 0.999999)

    def f(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The true logit minus the best wrong one, at least -kappa, `(n,)` (Carlini and Wagner 2017, f6)."""
        true = outputs.gather(1, labels[:, None])[:, 0]
        wrong = outputs.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        return (true - wrong).clamp(min=-self.kappa)
