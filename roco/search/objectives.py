"""What a search can minimise, by name: the one file in which an objective is added (docs/how-to/own-objective.md).

A text such as `adversarial_error[linf,target=resnet]` is an objective's name, with a selection in brackets where the
objective takes one. Values come from evaluations. Torch is imported only where a network is measured.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING

from roco.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roco.attacks.sets import AdversarialSet
    from roco.search.records import Evaluation

Selection = Mapping[str, str | int]

NORMS = ("l0", "linf")
# A batch small enough for every device, and enough passes for a median that one interruption does not move.
LATENCY_IMAGES, LATENCY_WARM_UP, LATENCY_PASSES = 32, 3, 20


@dataclass(frozen=True)
class Objective:
    """Something to minimise.

    Attributes:
        value: the number, from an evaluation and the selection; smaller is better.
        measure: for a number that evaluations do not hold otherwise: computes it from the trained network (on its
            device, in evaluation mode), the validation images (uint8 `(n, 3, h, w)`), their labels (int64 `(n,)`) and
            the validation adversarial set. The evaluation then holds it as `measured[name]`. Called only if a search
            asks for the objective.
        selects: whether its name takes a selection in brackets.
        adversarial: whether it looks at adversarial images, so that a search with it looks for robustness.
    """

    value: "Callable[[Evaluation, Selection], float]"
    measure: "Callable[[nn.Module, Tensor, Tensor, AdversarialSet], float] | None" = None
    selects: bool = False
    adversarial: bool = False


def _field(name: str) -> Objective:
    return Objective(lambda evaluation, selection: float(getattr(evaluation, name)))


def measured(name: str, measure: "Callable[[nn.Module, Tensor, Tensor], float]") -> Objective:
    """An objective whose value is what `measure` gave on the validation images."""
    return _measured(name, lambda network, images, labels, adversarial: measure(network, images, labels))


def _measured(name: str, measure: "Callable[[nn.Module, Tensor, Tensor, AdversarialSet], float]") -> Objective:
    return Objective(lambda evaluation, selection: evaluation.measured[name], measure)


def _adversarial_error(evaluation: "Evaluation", selection: Selection) -> float:
    """The share of the selected images of the validation adversarial set that the network gets wrong."""
    if not selection:
        return evaluation.adversarial_error
    cells = [cell for cell in evaluation.adversarial_breakdown if selection.items() <= vars(cell).items()]
    images = sum(cell.images for cell in cells)
    if not images:
        chosen = ",".join(f"{name} {value}" for name, value in selection.items())
        raise ConfigError(
            f"search.searches: expected images of {chosen} in the validation adversarial set, got none; choose others, "
            "or raise adversarial.images or the attacks' queries and steps"
        )
    return float(sum(cell.errors for cell in cells) / images)


def latency(network: "nn.Module", images: "Tensor", labels: "Tensor") -> float:
    """Milliseconds of a forward pass of 32 images on this device, the median of 20 passes.

    Not deterministic: it depends on the device and on what else runs on it.
    """
    import torch

    from roco.training.batches import to_unit

    batch = to_unit(images[:LATENCY_IMAGES])
    seconds = []
    with torch.no_grad():
        for _ in range(LATENCY_WARM_UP + LATENCY_PASSES):
            start = time.perf_counter()
            network(batch)
            if batch.is_cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return 1000 * median(seconds[LATENCY_WARM_UP:])


def source_error(network: "nn.Module", images: "Tensor", _: "Tensor", adversarial: "AdversarialSet") -> float:
    """The share of the adversarial set's clean images that the network gets wrong; each counts as often as in the set.

    A placebo: robustness that a search gains by it comes from these images, not from their perturbations.
    """
    import torch

    sources = torch.from_numpy(adversarial.source_index).to(images.device)
    return _error_on(network, images[sources], adversarial)


def source_noise_error(network: "nn.Module", images: "Tensor", _: "Tensor", adversarial: "AdversarialSet") -> float:
    """As `source_error`, with random noise of each adversarial image's norm and budget; a placebo as well."""
    return _error_on(network, _noisy_sources(images, adversarial), adversarial)


@lru_cache(maxsize=1)
def _noisy_sources(images: "Tensor", adversarial: "AdversarialSet") -> "Tensor":
    """The clean images with noise, which is the same for all networks and drawn once per process."""
    import torch

    from roco.attacks.sets.transfer import noise_of

    clean = images.cpu().numpy()[adversarial.source_index]
    return torch.from_numpy(noise_of(adversarial, clean, seed=adversarial.seed)).to(images.device)


def _error_on(network: "nn.Module", images: "Tensor", adversarial: "AdversarialSet") -> float:
    from roco.attacks.sets import adversarial_error
    from roco.training.prediction import predict

    return adversarial_error(predict(network, images).cpu().numpy(), adversarial)


def _summed_error(evaluation: "Evaluation", selection: Selection) -> float:
    """The sum of natural and adversarial error.

    Source: the authors' code, which minimises 200 minus both accuracies in percent, and FLOPs.
    """
    return evaluation.error + evaluation.adversarial_error


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "error": _field("error"),
        "adversarial_error": Objective(_adversarial_error, selects=True, adversarial=True),
        "flops": _field("flops"),
        "parameters": _field("parameters"),
        "latency": measured("latency", latency),
        "summed_error": Objective(_summed_error, adversarial=True),
        "source_error": _measured("source_error", source_error),
        "source_noise_error": _measured("source_noise_error", source_noise_error),
    }
)


def parse(text: str) -> tuple[str, dict[str, str | int]]:
    """The name of an objective, and its selection: some of `norm`, `threshold` and `target`.

    Raises:
        ValueError: there is no such objective, or its selection is malformed; the message says what was expected.
    """
    match = re.fullmatch(r"([a-z][a-z0-9_]*)(?:\[([^\[\]]*)\])?", text)
    name, inside = match.groups() if match else (text, None)
    if name not in OBJECTIVES:
        raise ValueError(f"expected {', '.join(OBJECTIVES)}, got {text!r:.60}")
    if inside is None:
        return name, {}
    if not OBJECTIVES[name].selects:
        raise ValueError(f"expected {name} without brackets, got {text!r:.60}")
    selection: dict[str, str | int] = {}
    for part in inside.split(","):
        key, value = _selected(part.strip())
        if not key or key in selection:
            raise ValueError(f"expected {name}[NORM,THRESHOLD,target=NAME] or some of these, once, got {text!r:.60}")
        selection[key] = value
    return name, selection


def _selected(part: str) -> tuple[str, str | int]:
    if part in NORMS:
        return "norm", part
    # At most nine digits: enough for any threshold, and never too long to convert.
    if re.fullmatch(r"[0-9]{1,9}", part):
        return "threshold", int(part)
    return ("target", part.removeprefix("target=")) if re.fullmatch(r"target=[a-z0-9_]+", part) else ("", "")


def value_of(text: str, evaluation: "Evaluation") -> float:
    """The value of an objective in the evaluation of a network whose training did not fail."""
    name, selection = parse(text)
    return OBJECTIVES[name].value(evaluation, selection)
