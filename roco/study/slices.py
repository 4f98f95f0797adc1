"""How long each kind of job of a study takes on this machine: measured on slices of the work, then extrapolated.

Networks are trained for some seconds on the study's images, or on random images with something to learn. Attacks begin
with few images and steps and go on with more while there is time; the last two runs give the estimate. The labels of
attacked images are the network's predictions, so that all images are attacked.
"""

import itertools
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from roco.attacks.l0.attack import CORNERS
from roco.config import Part, StudyConfig
from roco.data.dataset import Dataset, Split
from roco.errors import TrainingFailed
from roco.files import is_there
from roco.networks.spec import GenomeSpec, TargetSpec
from roco.runtime import numpy_generator, start_torch
from roco.settings import Recipe, Section
from roco.storage.store import Store
from roco.study.genomes import TYPICAL_GENOMES, spec_of, typical_genomes
from roco.study.images import Images
from roco.study.shortened import FEWEST, attack_parts, longest, shortened

if TYPE_CHECKING:
    import torch

# The number of images for slices; this share, the first of them, is attacked and not trained on.
MOST_IMAGES, HELD_OUT = 5120, 0.2
# Each run is larger than the run before by a factor between these two; the first has this share of the steps.
SMALLEST_GROWTH, GROWTH, FIRST_STEPS = 1.25, 4, 1 / 64
# The images of the first epochs on a CPU.
FEWEST_TRAINED = 64
# The shortest time for a slice.
SHORTEST_SECONDS = 0.1

Kind = tuple[str, ...]


def seconds_by_kind(
    config: StudyConfig,
    images: Images,
    *,
    kinds: Collection[Kind],
    seconds: float,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[Kind, float]:
    """Seconds of a job of each kind, without the start of its process; for `evaluate` and `retrain` per network.

    Args:
        config: of the study.
        images: their numbers and sizes.
        kinds: of `("target", name)`, `("adversarial_cells", norm, name)`, `("evaluate",)`, `("retrain",)`, and
            `("robustness", part)` with the parts of `attack_parts`.
        seconds: the rough time for all measurements; on a CPU the time of this process.
        tell: is called with the name of each measurement.

    Raises:
        ConfigError: a GPU is asked for and there is none.
        TrainingFailed: a network diverged, or a stack does not fit into memory.
    """
    slices = _Slices(config, images, count=len(kinds), seconds=seconds, tell=tell)
    measured: dict[Kind, float] = {}
    for name in dict.fromkeys(kind[-1] for kind in kinds if kind[0] in ("target", "adversarial_cells")):
        measured["target", name], network = slices.target(name)
        for kind in kinds:
            if kind[0] == "adversarial_cells" and kind[-1] == name:
                measured[kind] = slices.cells(network, *kind[1:])
    if ("evaluate",) in kinds:
        measured["evaluate",], _ = slices.genomes("evaluation", at_once=config.evaluation.genomes_per_job)
    if any(kind[0] in ("retrain", "robustness") for kind in kinds):
        trainings = config.slots * len(config.retraining.seeds)
        measured["retrain",], network = slices.genomes("retraining", at_once=trainings)
        measured |= {kind: slices.attacks(network, kind[1]) for kind in kinds if kind[0] == "robustness"}
    return measured


def whole_seconds(run: Callable[[float], float], *, first: float, limit: float) -> float:
    """Seconds of the whole work, extrapolated from growing shares, until the next would take longer than `limit`.

    `run` does a share of the work and returns its seconds; `first` is the smallest share.
    """
    share, took, following, spent = 0.0, 0.0, min(1.0, first), 0.0
    # The first run includes imports and preparations of the device.
    if (warm := run(following)) > limit:
        return warm / following
    while True:
        seconds = run(following)
        # The difference of two runs leaves out what every run does once. Noise must not make the rest free.
        rate = max((seconds - took) / (following - share), 0.1 * seconds / following)
        share, took, spent = following, seconds, spent + seconds
        following = min(1.0, GROWTH * share, share + (limit - took) / rate)
        if share == 1.0 or following < SMALLEST_GROWTH * share or spent > 2 * limit:
            return took + rate * (1 - share)


def _drawn(config: StudyConfig, images: Images) -> tuple[Split, list[float], list[float]]:
    """Images with labels, and the mean and deviation of their channels."""
    generator = numpy_generator(0, "slice")
    if is_there(made := Path(config.folder) / "dataset.h5"):
        dataset = Dataset.load(made)
        rows = generator.permutation(len(dataset.train))[:MOST_IMAGES]
        split = Split(dataset.train.images[rows], dataset.train.labels[rows])
        return split, list(dataset.channel_mean), list(dataset.channel_std)
    labels = generator.integers(images.classes, size=min(images.train, MOST_IMAGES))
    # Each class is a pattern of coarse squares under noise.
    squares = generator.integers(64, 192, size=(images.classes, 3, 4, 4))
    patterns = np.kron(squares, np.ones((-(-images.size // 4),) * 2))[:, :, : images.size, : images.size]
    drawn = patterns[labels] + generator.normal(0.0, 30.0, size=(len(labels), 3, images.size, images.size))
    return Split(drawn.clip(0, 255).astype(np.uint8), labels), [0.5] * 3, [0.25] * 3


class _Slices:
    """Measures slice after slice; `limit` is the limit of the present slice in seconds."""

    def __init__(
        self, config: StudyConfig, images: Images, *, count: int, seconds: float, tell: Callable[[str], None]
    ) -> None:
        import torch

        self.config, self.images, self.left, self._tell = config, images, count, tell
        self.device = start_torch(config.device)
        self.limit, self.until = 0.0, self.clock() + seconds
        drawn, self.mean, self.std = _drawn(config, images)
        held_out = max(1, int(HELD_OUT * len(drawn)))
        self.attacked = drawn.images[:held_out]
        self.values = torch.from_numpy(drawn.images[held_out:]).to(self.device)
        self.labels = torch.from_numpy(drawn.labels[held_out:]).to(self.device)

    def tell(self, what: str) -> None:
        """Begins a slice with its share of the remaining time, about half of it for its longest run."""
        self._tell(what)
        self.limit = max(SHORTEST_SECONDS, (self.until - self.clock()) / max(self.left, 1) / 2)
        self.left -= 1

    def clock(self) -> float:
        """Seconds; on a CPU the time of this process, so that other programs do not count."""
        import torch

        if self.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def target(self, name: str) -> "tuple[float, torch.nn.Module]":
        """Seconds of training a target, and the target."""
        self.tell(name)
        known = {**self.config.targets.architectures("validation"), **self.config.targets.architectures("test")}
        classes, size = self.images.classes, self.images.size
        network = self.built(TargetSpec(name=name, architecture=known[name], classes=classes, image_size=size))
        predicted = self.images.validation + self.images.test
        return self.training([network], self.config.targets.training, self.images.train, predicted), network

    def genomes(self, part: Part, *, at_once: int) -> "tuple[float, torch.nn.Module]":
        """Seconds of a typical genome in the search or in retraining, on a GPU within a stack; and its network."""
        config, images, section = self.config, self.images, getattr(self.config, part)
        count = min(at_once, section.largest_stack) if self.device.type == "cuda" else 1
        self.tell(f"{part} of {count} genomes" if count > 1 else part)
        # A front is lighter than the population that its search began with.
        rank = TYPICAL_GENOMES // (4 if part == "retraining" else 2)
        genomes = typical_genomes(config, images, count, rank=rank)
        networks = [self.built(spec_of(config, genome, images, part)) for genome in genomes]
        trained, predicted = images.train, 0
        if part == "retraining":
            trained += images.validation * config.retraining.validation_images_too
        else:
            cells = 2 * len(config.adversarial.thresholds) * len(config.targets.architectures("validation"))
            predicted = images.validation + cells * min(config.adversarial.images, images.validation)
        return self.training(networks, section.training, trained, predicted) / count, networks[0]

    def cells(self, network: "torch.nn.Module", norm: str, target: str) -> float:
        """Seconds of the attacks on a target with one norm at all thresholds."""
        from roco.attacks.norms import forward_batch
        from roco.attacks.sets.chain import attack_chain

        self.tell(f"{norm} images of {target}")
        config, count, seconds = self.config.adversarial, self.cell_images, 0.0
        if norm == "l0" and getattr(config.l0_attack, "exhaustive", False) and config.thresholds[0] == 1:
            # Too many passes for a slice: a few of them give their cost.
            seconds = count * CORNERS * self.images.size**2 * self.pass_seconds(network)
            inexhaustive = config.l0_attack.model_copy(update={"exhaustive": False})
            config = config.model_copy(update={"l0_attack": inexhaustive})

        def attack(split: Split, share: float) -> None:
            names = {"target": target, "split_name": "validation", "dataset_fingerprint": "slice"}
            chain = {"norm": norm, "thresholds": config.thresholds, "config": shortened(config, share)}
            with tempfile.TemporaryDirectory() as folder:
                attack_chain(network, split, device=self.device, store=Store(folder), **names, **chain)  # type: ignore[arg-type]

        settings = config.l0_attack if norm == "l0" else config.linf_attack
        return seconds + self.attacking(network, count, attack, batch=forward_batch(self.device), config=settings)

    @property
    def cell_images(self) -> int:
        """The number of attacked images of a cell."""
        return min(self.config.adversarial.images, self.images.validation)

    def pass_seconds(self, network: "torch.nn.Module") -> float:
        """Seconds of a forward pass, per image in a full batch."""
        from roco.attacks.norms import forward_batch
        from roco.training.prediction import logits_of

        images = self.values[: forward_batch(self.device)]
        logits_of(network, images, batch_size=len(images))
        began = self.clock()
        logits_of(network, images, batch_size=len(images))
        return (self.clock() - began) / len(images)

    def attacks(self, network: "torch.nn.Module", part: str) -> float:
        """Seconds of a part of the white-box attacks on a network."""
        from roco.attacks.norms import gradient_batch
        from roco.attacks.protocol import evaluate_robustness

        self.tell(f"white-box {part}")
        config = attack_parts(self.config.robustness)[part]

        def attack(split: Split, share: float) -> None:
            evaluate_robustness(network, split, config=shortened(config, share), device=self.device)

        count = min(config.images, self.images.test)
        return self.attacking(network, count, attack, batch=gradient_batch(self.device), config=config)

    def attacking(
        self,
        network: "torch.nn.Module",
        count: int,
        attack: Callable[[Split, float], None],
        *,
        batch: int,
        config: Section,
    ) -> float:
        """Seconds of an attack on `count` images; it begins with few images on a CPU, on a GPU with a full batch."""
        import torch

        from roco.training.prediction import predict

        few, batch = min(count, FEWEST), min(count, batch if self.device.type == "cuda" else FEWEST)
        labels = predict(network, torch.from_numpy(self.attacked).to(self.device)).cpu().numpy()

        def run(share: float) -> float:
            images = max(few, round(share * count))
            rows, began = np.arange(images) % len(labels), self.clock()
            attack(Split(self.attacked[rows], labels[rows]), min(1.0, share * count / images))
            return self.clock() - began

        steps = max(FIRST_STEPS, min(1, FEWEST / longest(config)))
        if few < batch:
            # Preparations of the device must not count below.
            run(steps * few / count)
        while few < batch and run(steps * few / count) < self.limit / 8:
            few = min(GROWTH * few, batch)
        return whole_seconds(run, first=steps * few / count, limit=self.limit)

    def built(self, spec: TargetSpec | GenomeSpec) -> "torch.nn.Module":
        """A fresh network on the device."""
        import torch

        network = spec.build(mean=self.mean, std=self.std)
        return network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def training(self, networks: "list[torch.nn.Module]", recipe: Recipe, trained: int, predicted: int) -> float:
        """Trains networks for about the limit; gives the seconds of the whole training and of its predictions."""
        few = min(len(self.labels), 32 * recipe.batch_size if self.device.type == "cuda" else FEWEST_TRAINED)
        first, second = self.epochs(networks, recipe, few, epochs=2)
        # As many images as fit into two epochs, and as many epochs as then fit.
        images = int(min(len(self.labels), max(few, few * self.limit / second / 2)))
        epochs = int(min(recipe.epochs, max(2, self.limit / second * few / images)))
        an_image = median(self.epochs(networks, recipe, images, epochs=epochs)[1:]) / images
        # A step costs three times as much as a prediction.
        return max(0.0, first - few * an_image) + (recipe.epochs * trained + predicted / 3) * an_image

    def epochs(self, networks: "list[torch.nn.Module]", recipe: Recipe, count: int, *, epochs: int) -> list[float]:
        """Seconds of each epoch of a training on `count` images, at least two epochs."""
        from roco.training.loop import Training, train_together

        ends = [self.clock()]
        trainings = [Training(network, 0) for network in networks]
        trainings[0].on_epoch = lambda _, __: ends.append(self.clock())
        recipe = recipe.model_copy(update={"epochs": max(2, epochs)})
        train_together(trainings, self.values[:count], labels=self.labels[:count], recipe=recipe)
        if failure := trainings[0].failure:
            raise TrainingFailed(f"a slice of {len(networks)} networks cannot be trained: {failure}")
        return [end - begin for begin, end in itertools.pairwise(ends)]
