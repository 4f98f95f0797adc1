"""How much there is to compute in each job of a study: passes of images through networks, from the configuration alone.

An upper bound where an attack may stop early. What a pass costs in seconds is measured in roco.study.calibration.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roco.attacks.set_settings import FIRST_BLOCK, Greedy
from roco.attacks.white_box_settings import APGDCE, PGD, RobustnessConfig, Square
from roco.config import Part, StudyConfig
from roco.files import is_there
from roco.networks.settings import SplitName
from roco.runtime import numpy_generator
from roco.space.complexity import complexity
from roco.space.genome import Genome

TYPICAL_GENOMES = 9


@dataclass(frozen=True)
class Images:
    """How many images a study has: of each split, and in each adversarial set (as many as are attacked, at most)."""

    train: int
    validation: int
    test: int
    adversarial: int
    test_adversarial: int
    classes: int
    size: int


@dataclass(frozen=True)
class Work:
    """Passes of single images through a network.

    Attributes:
        network: a target's name, `evaluation` or `retraining`.
        trained: forward, backward and a step of the optimiser, in batches of the training recipe.
        forward: forward only.
        gradient: forward and backward down to the image, in large batches.
        alone: the same, image by image.
    """

    network: str
    trained: int = 0
    forward: int = 0
    gradient: int = 0
    alone: int = 0

    def times(self, networks: int) -> "Work":
        """The same passes of so many networks."""
        passes = (self.trained, self.forward, self.gradient, self.alone)
        return Work(self.network, *(networks * each for each in passes))

    def flops(self, forward_flops: int) -> int:
        """Multiply-adds, a backward pass counted as two forward passes.

        Args:
            forward_flops: of one image.
        """
        return forward_flops * (self.forward + 3 * (self.trained + self.gradient + self.alone))


def images_of(config: StudyConfig) -> Images | None:
    """The numbers of images, from dataset.h5; before it is made, from what is known of the data set, if anything is."""
    made = Path(config.folder) / "dataset.h5"
    if is_there(made):
        from roco.data.dataset import dataset_facts

        facts, counts = dataset_facts(made)
        return _images(config, **counts, classes=len(facts["class_names"]))
    if (known := config.dataset.known_sizes()) is None:
        return None
    validation = round(known.train * config.dataset.validation_fraction)
    train = known.train - validation
    return _images(config, train=train, validation=validation, test=known.test, classes=known.classes)


def _images(config: StudyConfig, *, train: int, validation: int, test: int, classes: int) -> Images:
    def attacked(split: SplitName, count: int) -> int:
        cells = 2 * len(config.adversarial.thresholds) * len(config.targets.architectures(split))
        return cells * min(config.adversarial.images, count)

    adversarial = (attacked("validation", validation), attacked("test", test))
    return Images(train, validation, test, *adversarial, classes, config.dataset.image_size)


def target_work(config: StudyConfig, name: str, images: Images) -> Work:
    """The training of a target, and its errors on validation and test images."""
    trained = config.targets.training.epochs * images.train
    return Work(name, trained=trained, forward=images.validation + images.test)


def attack_work(config: StudyConfig, name: str, norm: str, images: Images) -> Work:
    """The attacks on a target with one norm at all thresholds, if no image falls before the last query."""
    attack = config.adversarial.l0_attack if norm == "l0" else config.adversarial.linf_attack
    thresholds, count = config.adversarial.thresholds, min(config.adversarial.images, images.validation)
    all_pixels = getattr(attack, "exhaustive", False) and thresholds[0] == 1
    exhaustive = count * 8 * images.size**2 if all_pixels else 0
    attacked = count * (len(thresholds) - all_pixels)
    # Greedy steps add to the pixels of the smaller threshold; each threshold has a last one.
    greedy = {"pixels": count * (thresholds[-1] - all_pixels), "last": attacked}
    if attack.method == "differential_evolution":
        return Work(name, forward=attacked * attack.population * (attack.steps + 1))
    if attack.method == "greedy":
        forward, gradient = _greedy_passes(attack, **greedy)
        return Work(name, forward=exhaustive + forward, gradient=gradient)
    if attack.method == "random_search":
        forward, gradient = exhaustive + attacked * attack.queries, 0
        if attack.greedy_candidates:
            first, gradient = _greedy_passes(Greedy(candidates=attack.greedy_candidates), **greedy)
            forward += first
        return Work(name, forward=forward, gradient=gradient)
    return Work(name, forward=exhaustive, gradient=attacked * attack.steps * getattr(attack, "restarts", 1))


def _greedy_passes(attack: Greedy, *, pixels: int, last: int) -> tuple[int, int]:
    """Forward passes and gradients of greedy steps that set so many pixels, of which some are the last of an image."""
    before = pixels - last
    forward = before * min(attack.candidates, FIRST_BLOCK) + last * (attack.candidates + 8 * attack.corners)
    return forward, before + last * attack.rivals


def evaluation_work(config: StudyConfig, images: Images) -> Work:
    """The evaluation of one genome."""
    trained = config.evaluation.training.epochs * images.train
    return Work("evaluation", trained=trained, forward=images.validation + images.adversarial)


def retraining_work(config: StudyConfig, images: Images) -> Work:
    """The training of one network of a front at length."""
    count = images.train + (images.validation if config.retraining.validation_images_too else 0)
    return Work("retraining", trained=config.retraining.training.epochs * count)


def robustness_work(config: StudyConfig, images: Images) -> Work:
    """The measurement of one retrained network: test images, the test adversarial set and noise, white-box attacks."""
    attacked = min(config.robustness.images, images.test)
    forward = gradient = alone = 0
    for attack in _white_box_attacks(config.robustness):
        if attack.method == "deepfool":
            # Every class's gradient at each of a few steps, from one pass a step: measured with ten classes, 5 to 11
            # times a pass alone for an image in all.
            alone += attacked * images.classes
        else:
            forwards, gradients = _passes(attack)
            forward, gradient = forward + attacked * forwards, gradient + attacked * gradients
    forward += images.test + 2 * images.test_adversarial
    return Work("retraining", forward=forward, gradient=gradient, alone=alone)


def _white_box_attacks(config: RobustnessConfig) -> list[Any]:
    """All attacks that an image meets; in the search for its radius once for each halving of the radii."""
    attacks: list[Any] = [*config.attacks.values(), *config.smallest_perturbations.values()]
    if config.curve:
        halvings = len(config.curve.radii).bit_length()
        # A halving asks where half of the images hold: those meet every target of APGD-T as well.
        steps = config.curve.steps + config.curve.steps * config.curve.targets // 2
        attacks += [APGDCE(method="apgd_ce", eps=1.0, steps=steps)] * halvings
    if config.checks:
        eps, steps = config.checks.eps, config.checks.steps
        # A quarter of the steps, all of them, the restarts, and the large radius.
        runs = [steps // 4, *[steps] * (config.checks.restarts + 1)]
        attacks += [PGD(method="pgd", eps=eps, alpha=eps / 4, steps=count) for count in runs]
        attacks.append(Square(method="square", eps=eps, queries=config.checks.queries))
    return attacks


def _passes(attack: Any) -> tuple[int, int]:
    """Forward passes and gradients an image of a white-box attack; of several attacks the first, which fools most."""
    match attack.method:
        case "square":
            return attack.queries, 0
        case "noise":
            return attack.draws, 0
        case "l0":
            first = attack.attacks[0]
            if first.method == "greedy":
                return _greedy_passes(first, pixels=attack.pixels, last=1)
            return getattr(first, "queries", 0), getattr(first, "steps", 0)
        case "fab":
            return attack.steps * attack.targets, attack.steps * attack.targets
        case "cw_search":
            return 0, attack.steps * attack.searches
        case _:
            return 0, getattr(attack, "steps", 1) * getattr(attack, "restarts", 1)


def typical_genome(config: StudyConfig, images: Images) -> Genome:
    """The median by FLOPs of a few random genomes: what a first population is made of."""
    generator = numpy_generator(0, "typical genome")
    shape = {"phases": config.space.phases, "nodes": config.space.nodes}
    density = config.search.population_0_density
    drawn = [Genome.random(generator, **shape, density=density) for _ in range(TYPICAL_GENOMES)]
    ordered = sorted(drawn, key=lambda genome: genome_flops(config, genome, images, part="evaluation"))
    return ordered[TYPICAL_GENOMES // 2]


def genome_flops(config: StudyConfig, genome: Genome, images: Images, *, part: Part) -> int:
    """FLOPs of one image's forward pass through a genome's network, as it is in the search or as it is retrained."""
    cost = complexity(
        genome.phenotype,
        channels=getattr(config, part).channels,
        classes=images.classes,
        stem_padding=config.space.stem_padding,
        image_size=images.size,
        node=config.node_of(part),
    )
    return cost.flops
