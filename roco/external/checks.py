"""Whether a network can be attacked as it is: an error if it cannot, a flag if its accuracies mean less.

Source of the flags for randomness, probabilities and gradients: AutoAttack's own checks (Croce et al., 2020).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from roco.attacks.records import Flag
from roco.data.dataset import Split
from roco.errors import ConfigError, in_one_line
from roco.training.batches import to_unit

# Images that the checks look at.
LOOKED_AT = 64
# A clean accuracy below so many times that of guessing means that classes or inputs are confused.
TIMES_CHANCE = 1.5
SAME_LOGITS = 1e-4


@dataclass(frozen=True)
class Inspection:
    """What a network's answers to a few images say about it.

    Attributes:
        classes: the number of its logits.
        has_gradients: whether they have a gradient at the images.
        flags: signs that its accuracies under attack mean less; raised or not.
    """

    classes: int
    has_gradients: bool
    flags: tuple[Flag, ...]


def inspect_network(network: nn.Module, split: Split, *, class_names: tuple[str, ...], name: str) -> Inspection:
    """Looks at a network's answers to the first images.

    Args:
        network: float32 images in [0, 1] to logits.
        split: the images for the attacks.
        class_names: in the order of the labels, if they are known.
        name: of the network, for messages.

    Raises:
        ConfigError: it cannot take the images, or does not return logits of their classes.
    """
    device = next((tensor.device for tensor in network.buffers()), torch.device("cpu"))
    images = to_unit(torch.from_numpy(split.images[:LOOKED_AT]).to(device))
    labels = torch.from_numpy(split.labels[:LOOKED_AT]).to(device)
    logits = _logits(network, images, name=name)
    # A network that was exported for one size of batch fails here.
    first = _logits(network, images[:1], name=name)
    classes, known = logits.shape[1], len(class_names) or int(split.labels.max()) + 1
    if classes < known or (class_names and classes != known):
        raise ConfigError(f"{name}: expected {known} logits, one per class of the images, got {classes}")
    has_gradients, why_not = _gradients(network, images, labels)
    flags = (
        _random(logits, _logits(network, images, name=name)),
        _batches(logits[:1], first),
        _probabilities(logits),
        _chance(logits, labels, classes),
        Flag(name="no_gradients", raised=not has_gradients, detail=why_not or "its logits have gradients"),
    )
    return Inspection(classes, has_gradients, flags)


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor, *, name: str) -> Tensor:
    shape = tuple(images.shape)
    try:
        logits = network(images)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a foreign network can raise anything
        reason = in_one_line(f"{type(error).__name__}: {error}")
        advice = "; export it for batches of any size (torch.export.Dim)" if "Guard" in reason else ""
        raise ConfigError(f"{name}: cannot take images {shape} in [0, 1] ({reason}){advice}") from None
    if not isinstance(logits, Tensor):
        raise ConfigError(f"{name}: expected a tensor of logits back, got {type(logits).__name__}")
    if logits.dim() != 2 or len(logits) != len(images) or not logits.is_floating_point():
        raise ConfigError(
            f"{name}: expected float logits ({len(images)}, classes) of images {shape}, got {logits.dtype} "
            f"{tuple(logits.shape)}"
        )
    if not logits.isfinite().any():
        raise ConfigError(f"{name}: none of its logits is finite; see to --mean and --std, and to its weights")
    return logits


def _gradients(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[bool, str]:
    start = images.clone().requires_grad_()
    try:
        loss = functional.cross_entropy(network(start), labels)
        (gradient,) = torch.autograd.grad(loss, start)
    except RuntimeError as error:
        return False, f"nothing can be differentiated ({' '.join(str(error).split())[:120]}); black-box attacks only"
    if not gradient.any():
        return True, "the gradient is zero at all of the first images"
    return True, ""


def _random(logits: Tensor, again: Tensor) -> Flag:
    moved = float((logits - again).abs().max())
    detail = f"the same images again: logits differ by up to {moved:.3g}"
    if moved > 0:
        detail += "; attacks that do not average over this randomness overrate its robustness"
    return Flag(name="random", raised=moved > 0, detail=detail)


def _batches(logits: Tensor, alone: Tensor) -> Flag:
    moved = float((logits - alone).abs().max())
    detail = f"an image alone and in a batch: logits differ by up to {moved:.3g}"
    raised = moved > SAME_LOGITS * float(logits.abs().max().clamp(min=1))
    return Flag(name="depends_on_batch", raised=raised, detail=detail)


def _probabilities(logits: Tensor) -> Flag:
    low, high, total = float(logits.min()), float(logits.max()), logits.sum(dim=1)
    raised = low >= 0 and high <= 1 and bool((total - 1).abs().max() < 1e-3)
    detail = f"outputs from {low:.3g} to {high:.3g}"
    if raised:
        detail += ", which sum to 1: probabilities, whose gradients vanish where the network is sure; return logits"
    return Flag(name="probabilities", raised=raised, detail=detail)


def _chance(logits: Tensor, labels: Tensor, classes: int) -> Flag:
    right = float((logits.argmax(dim=1) == labels).double().mean())
    detail = f"{100 * right:.0f} % of the first {len(labels)} images are right, guessing has {100 / classes:.0f} %"
    raised = right < TIMES_CHANCE / classes
    if raised:
        detail += "; are --mean and --std the network's, and its classes in the order of the labels?"
    return Flag(name="guesses", raised=raised, detail=detail)
