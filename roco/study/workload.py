"""How much there is to compute in each job of a study: passes of images through networks, from the configuration alone.

Each attack says what it costs (`passes`): as if no image were done before its last step, but of AutoAttack and `l0`,
which are several attacks, the first alone. What a pass costs in seconds is measured in roco.study.calibration.
"""

from dataclasses import dataclass
from pathlib import Path

from roco.attacks.passes import Passes
from roco.attacks.settings import RobustnessConfig
from roco.config import Part, StudyConfig
from roco.files import is_there
from roco.networks.settings import SplitName
from roco.runtime import numpy_generator
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

    @classmethod
    def of_passes(cls, network: str, passes: Passes) -> "Work":
        """The passes of an attack through a network."""
        return cls(network, forward=passes.forward, gradient=passes.gradient, alone=passes.alone)

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
    """The attacks on a target with one norm at all thresholds, if no image is done before the last query or step."""
    thresholds, count = config.adversarial.thresholds, min(config.adversarial.images, images.validation)
    if norm == "l0":
        passes = config.adversarial.l0_attack.passes(thresholds, size=images.size)
    else:
        passes = config.adversarial.linf_attack.passes(len(thresholds))
    return Work.of_passes(name, passes * count)


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
    attacked = white_box_passes(config.robustness, images) * min(config.robustness.images, images.test)
    return Work.of_passes("retraining", attacked + Passes(forward=images.test + 2 * images.test_adversarial))


def white_box_passes(config: RobustnessConfig, images: Images) -> Passes:
    """Passes of one image in all attacks of a study."""
    shape = {"classes": images.classes, "size": images.size}
    attacks = [*config.attacks.values(), *config.smallest_perturbations.values()]
    attacks += config.checks.attacks().values() if config.checks else []
    passes = sum((attack.passes(**shape) for attack in attacks), start=Passes())
    if config.curve:
        first, *others = [attack.passes(**shape) for attack in config.curve.attacks(radius=1.0)]
        # Bisection asks where half of the images hold: those meet the other attacks as well.
        rest = sum(others, start=Passes()) // 2
        passes += (first + rest) * len(config.curve.radii).bit_length()
    return passes


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
    return config.decoder_of(part).spec(genome, classes=images.classes, image_size=images.size).cost.flops
