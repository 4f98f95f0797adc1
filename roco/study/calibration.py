"""What a pass of an image costs on this machine, measured with the networks of a study in a few seconds.

Real training steps of each target and of a typical genome at both widths, forward passes, and gradients down to the
image. On a CPU it is the time of the process that counts, so that other programs on the machine do not.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roco.config import Part, StudyConfig
from roco.networks.spec import GenomeSpec, TargetSpec
from roco.networks.targets import Architecture
from roco.runtime import start_torch
from roco.settings import Recipe
from roco.study.workload import Images, Work, typical_genome

if TYPE_CHECKING:
    import torch

# A measurement is repeated for so many seconds; a slow network is measured with so few images.
SHORTEST_SECONDS, FEWEST_IMAGES = 0.15, 8


@dataclass(frozen=True)
class Speed:
    """Seconds an image in one network, by kind of pass; the kinds are those of roco.study.workload.Work."""

    trained: float
    forward: float
    gradient: float
    alone: float

    def seconds(self, work: Work) -> float:
        """How long some work takes."""
        passes = [(work.trained, self.trained), (work.forward, self.forward), (work.gradient, self.gradient)]
        return sum(count * each for count, each in [*passes, (work.alone, self.alone)])


@dataclass(frozen=True)
class Calibration:
    """A machine's speed with the networks of a study.

    Attributes:
        device: what was measured, in words.
        cores: how many jobs run at once on a CPU.
        uses_gpu: whether a GPU computes, which takes one job at a time.
        speeds: by network: the targets' names, `evaluation`, `retraining`.
        flops: of one image's forward pass, by network.
        start_seconds: CPU time of a process until torch is imported.
    """

    device: str
    cores: int
    uses_gpu: bool
    speeds: dict[str, Speed]
    flops: dict[str, int]
    start_seconds: float


def calibrate(
    config: StudyConfig, images: Images, *, cores: int, networks: Collection[str] | None = None
) -> Calibration:
    """Measures this machine.

    Args:
        config: of the study.
        images: their numbers and sizes.
        cores: how many jobs run at once on a CPU.
        networks: which of the study's networks to measure; all, if not given.

    Raises:
        ConfigError: a GPU is asked for and there is none.
    """
    import torch

    device = start_torch(config.device)
    names = [*_targets(config), "evaluation", "retraining"]
    names = [name for name in names if networks is None or name in networks]
    speeds, flops = {}, {}
    for name in names:
        spec = _spec(config, name, images)
        network = spec.build(mean=[0.5] * 3, std=[0.25] * 3)
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        speeds[name] = _speed(network, _recipe(config, name), images, device=device)
        flops[name] = _forward_flops(spec, network)
    words = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {cores} cores"
    return Calibration(words, cores, device.type == "cuda", speeds, flops, _start_seconds())


def cpu_seconds_of(command: list[str], **options: Any) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Runs a command; returns the CPU time that it took, and its result."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended


def _start_seconds() -> float:
    # What every job does at its start and its end.
    code = "from roco.runtime import leave, pause_collection; pause_collection(); import roco.training.loop; leave()"
    return cpu_seconds_of([sys.executable, "-c", code])[0]


def _targets(config: StudyConfig) -> Mapping[str, Architecture]:
    """The targets of both splits by name; where both have the same target, it is equally fast."""
    return {**config.targets.architectures("validation"), **config.targets.architectures("test")}


def _spec(config: StudyConfig, name: str, images: Images) -> GenomeSpec | TargetSpec:
    """The network of a target's name, or the typical genome's in the search (`evaluation`) or `retraining`."""
    classes, image_size = images.classes, images.size
    if name in (targets := _targets(config)):
        return TargetSpec(name=name, architecture=targets[name], classes=classes, image_size=image_size)
    part: Part = "retraining" if name == "retraining" else "evaluation"
    return config.decoder_of(part).spec(typical_genome(config, images), classes=classes, image_size=image_size)


def _recipe(config: StudyConfig, name: str) -> Recipe:
    section = config.targets if name in _targets(config) else getattr(config, name)
    recipe: Recipe = section.training.model_copy(update={"epochs": 1})
    return recipe


def _speed(network: "torch.nn.Module", recipe: Recipe, images: Images, *, device: "torch.device") -> Speed:
    import torch

    from roco.attacks.norms import forward_batch, gradient_batch, margin_gradients
    from roco.training.loop import train
    from roco.training.prediction import logits_of

    generator = torch.Generator().manual_seed(0)

    def drawn(count: int) -> "tuple[torch.Tensor, torch.Tensor]":
        shape = (count, 3, images.size, images.size)
        values = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
        return values.to(device), (torch.arange(count) % images.classes).to(device)

    def trained(count: int) -> None:
        values, labels = drawn(count)
        train(network, values, labels=labels, recipe=recipe, seed=0)

    def forward(count: int) -> None:
        logits_of(network, drawn(count)[0], batch_size=count)

    def gradient(count: int) -> None:
        values, labels = drawn(count)
        margin_gradients(network.eval(), values / 255, labels=labels, batch_size=count)

    return Speed(
        # Two full batches: the second runs with what the first has set up.
        trained=_seconds_an_image(trained, 2 * recipe.batch_size, device),
        forward=_seconds_an_image(forward, forward_batch(device), device),
        gradient=_seconds_an_image(gradient, gradient_batch(device), device),
        alone=_seconds_an_image(gradient, 1, device),
    )


def _seconds_an_image(action: Callable[[int], None], count: int, device: "torch.device") -> float:
    """The least time of a few calls with `count` images, or with fewer where that would take long."""
    few = min(count, FEWEST_IMAGES)
    action(few)
    first = _timed(action, few, device)
    if first * count / few > 10 * SHORTEST_SECONDS:
        return first / few
    best, spent = first / few if few == count else float("inf"), 0.0
    while spent < SHORTEST_SECONDS:
        seconds = _timed(action, count, device)
        best, spent = min(best, seconds / count), spent + max(seconds, 0.01)
    return best


def _timed(action: Callable[[int], None], count: int, device: "torch.device") -> float:
    import torch

    if device.type != "cuda":
        begun = time.process_time()
        action(count)
        return time.process_time() - begun
    torch.cuda.synchronize(device)
    begun = time.perf_counter()
    action(count)
    torch.cuda.synchronize(device)
    return time.perf_counter() - begun


def _forward_flops(spec: GenomeSpec | TargetSpec, network: "torch.nn.Module") -> int:
    if isinstance(spec, GenomeSpec):
        return spec.cost.flops
    from ptflops import get_model_complexity_info

    size = (3, spec.image_size, spec.image_size)
    macs, _ = get_model_complexity_info(
        network.cpu().eval(), size, as_strings=False, print_per_layer_stat=False, backend="pytorch", verbose=False
    )
    return int(macs)
