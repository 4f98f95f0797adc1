"""A data set and its adversarial sets small enough to train on in a second, for the tests of whole steps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roco.attacks.records import CellSuccesses
from roco.attacks.sets import AdversarialSet
from roco.data.dataset import Dataset, Split, channel_statistics
from roco.space.genome import Genome

CELLS = (("lenet", "l0", 1, 3), ("lenet", "linf", 10, 4), ("resnet", "l0", 1, 0), ("resnet", "linf", 10, 2))
# One active phase of three nodes each, different from each other.
GENOMES = tuple(Genome.parse(text) for text in ("1000-0000", "0110-0000", "1011-0000"))
RECIPE = {
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 3e-4,
    "gradient_clip": 5.0,
    "crop_padding": 1,
    "flip": True,
    "cutout": 0,
    "precision": "fp32",
}


@dataclass(frozen=True)
class TinyStudy:
    """The files, and what is in them."""

    dataset_path: Path
    adversarial_path: Path
    test_adversarial_path: Path
    dataset: Dataset
    adversarial: AdversarialSet
    test_adversarial: AdversarialSet


def split_of(n: int, *, seed: int) -> Split:
    """Noise whose class is the channel that is brighter."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = generator.integers(0, 160, (n, 3, 16, 16))
    images[np.arange(n), labels] += 90
    return Split(images.astype(np.uint8), labels.astype(np.int64))


def make_dataset(*, seed: int) -> Dataset:
    train = split_of(25, seed=seed)
    mean, std = channel_statistics(train.images)
    return Dataset(
        name="tiny",
        class_names=("red", "green", "blue"),
        train=train,
        validation=split_of(12, seed=seed + 1),
        test=split_of(15, seed=seed + 2),
        channel_mean=mean,
        channel_std=std,
        fingerprint=f"{seed:064x}",
        notes=(),
    )


def make_adversarial_set(name: str, dataset: Dataset, *, seed: int) -> AdversarialSet:
    split = split_of(sum(count for *_, count in CELLS), seed=seed)
    counts = [count for *_, count in CELLS]
    return AdversarialSet(
        images=split.images,
        labels=split.labels,
        target=np.repeat(np.array([target for target, *_ in CELLS], dtype="S"), counts),
        norm=np.repeat(np.array([norm for _, norm, *_ in CELLS], dtype="S"), counts),
        threshold=np.repeat(np.array([threshold for _, _, threshold, _ in CELLS], dtype=np.int64), counts),
        source_index=np.arange(len(split)),
        target_prediction=(split.labels + 1) % 3,
        margin=np.ones(len(split), dtype=np.float32),
        split=name,
        attacked=tuple(
            CellSuccesses(target=target, norm=norm, threshold=threshold, attacked=5, successes=count)
            for target, norm, threshold, count in CELLS
        ),
        settings={},
        seed=0,
        versions={},
        dataset_fingerprint=dataset.fingerprint,
    )


def make_tiny_study(folder: Path, *, seed: int = 0) -> TinyStudy:
    dataset = make_dataset(seed=seed)
    sets = {name: make_adversarial_set(name, dataset, seed=seed + 9) for name in ("validation", "test")}
    dataset.save(folder / "dataset.h5")
    for name, adversarial in sets.items():
        adversarial.save(folder / f"{name}.h5")
    paths = (folder / "dataset.h5", folder / "validation.h5", folder / "test.h5")
    return TinyStudy(*paths, dataset, sets["validation"], sets["test"])
