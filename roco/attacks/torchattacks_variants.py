"""Torchattacks' DeepFool and C&W without their traps. Import it late: torchattacks costs seconds."""

import torch
import torchattacks
from torch import Tensor
from torch.optim.adam import adam


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


class SteadyCW(torchattacks.CW):  # type: ignore[misc]
    """C&W with the right margin and without an early stop.

    Differs from torchattacks: its margin takes 0 for the best wrong logit when all are negative; it stops all images
    as soon as the sum of their losses rises, so that a result depends on its batch; black and white pixels have an
    infinite start, which no step can leave (here 0.999999 of the range is used, as in the authors' code); Adam is
    torch's function, because the first step of its class imports torch's compiler, which takes seconds.
    """

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Float32 images `(n, c, h, w)` in [0, 1] to the nearest misclassified ones found, or to themselves."""
        position = torch.atanh((2 * images - 1) * 0.999999).requires_grad_()
        moments = [torch.zeros_like(position), torch.zeros_like(position)]
        taken = torch.zeros(())
        best, nearest = images.clone(), torch.full((len(images),), torch.inf, device=images.device)
        for _ in range(self.steps):
            found = (torch.tanh(position) + 1) / 2
            distances = (found - images).square().flatten(1).sum(dim=1)
            logits = self.get_logits(found)
            cost = distances.sum() + self.c * self.f(logits, labels).sum()
            (gradient,) = torch.autograd.grad(cost, position)
            with torch.no_grad():
                better = (logits.argmax(dim=1) != labels) & (distances < nearest)
                nearest = torch.where(better, distances, nearest)
                best = torch.where(better[:, None, None, None], found, best)
                _adam_step(position, gradient, moments=moments, taken=taken, learning_rate=self.lr)
        return best.detach()

    def f(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The true logit minus the best wrong one, at least -kappa, `(n,)` (Carlini and Wagner 2017, f6)."""
        true = outputs.gather(1, labels[:, None])[:, 0]
        wrong = outputs.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        return (true - wrong).clamp(min=-self.kappa)


def _adam_step(
    position: Tensor, gradient: Tensor, *, moments: list[Tensor], taken: Tensor, learning_rate: float
) -> None:
    """One step of Adam (Kingma and Ba 2015) with torch's default settings, in place; `taken` counts the steps."""
    adam(
        *([position], [gradient], [moments[0]], [moments[1]], [], [taken]),
        foreach=False,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=learning_rate,
        weight_decay=0.0,
        eps=1e-8,
        maximize=False,
    )
