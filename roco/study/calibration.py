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
from roco.networks.targets import Architecture
from roco.runtime import start_torch
from roco.settings import Recipe
from roco.study.workload import Images, Work, typical_genome

if TYPE_CHECKING:
    import torch

# A measurement is repeated until it took so long, and made with so few images where a network is slow.
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
        network = _network(config, name, images).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        speeds[name] = _speed(network, _recipe(config, name), images, device=device)
        flops[name] = _forward_flops(config, name, network, images)
    words = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {cores} cores"
    return Calibration(words, cores, device.type == "cuda", speeds, flops, _start_seconds())


def cpu_seconds_of(command: list[str], **options: Any) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Runs a command; the CPU time that it took, and what came of it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended


def _start_seconds() -> float:
    # As a job starts and ends.
    code = "from roco.runtime import leave, pause_collection; pause_collection(); import roco.training.loop; leave()"
    return cpu_seconds_of([sys.executable, "-c", code])[0]


def _targets(config: StudyConfig) -> Mapping[str, Architecture]:
    """Of both splits; where both have one, it is equally fast."""
    return {**config.targets.architectures("validation"), **config.targets.architectures("test")}


def _network(config: StudyConfig, name: str, images: Images) -> "torch.nn.Module":
    from roco.networks.decoder import build_network
    from roco.networks.targets import build_target

    look = {"mean": [0.5] * 3, "std": [0.25] * 3}
    if name in (targets := _targets(config)):
        architecture = targets[name]
        return build_target(name, architecture, classes=images.classes, image_size=images.size, **look)
    part = _part(name)
    return build_network(
        typical_genome(config, images).phenotype,
        channels=getattr(config, part).channels,
        classes=images.classes,
        stem_padding=config.space.stem_padding,
        mean=look["mean"],
        std=look["std"],
        node=config.node_of(part),
    )


def _part(name: str) -> Part:
    return "retraining" if name == "retraining" else "evaluation"


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
        margin_gradients(network.eval(), values, labels=labels, batch_size=count)

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


def _forward_flops(config: StudyConfig, name: str, network: "torch.nn.Module", images: Images) -> int:
    from roco.study.workload import genome_flops

    if name not in _targets(config):
        return genome_flops(config, typical_genome(config, images), images, part=_part(name))
    from ptflops import get_model_complexity_info

    size = (3, images.size, images.size)
    macs, _ = get_model_complexity_info(
        network.cpu().eval(), size, as_strings=False, print_per_layer_stat=False, backend="pytorch", verbose=False
    )
    return int(macs)
