"""Makes up a data set and adversarial sets of it, for tests of the report."""

from pathlib import Path

import numpy as np

from roco.attacks.records import CellSuccesses
from roco.attacks.sets import AdversarialSet
from roco.data.dataset import Dataset, Split

FINGERPRINT = "ab" * 32


def made_up_split(count: int) -> Split:
    """Images of 8 x 8 pixels, each of one grey level; the classes take turns."""
    numbers = np.arange(count)
    return Split(np.tile(numbers.astype(np.uint8)[:, None, None, None], (1, 3, 8, 8)), numbers % 2)


def write_dataset(path: Path) -> None:
    train, validation, test = (made_up_split(count) for count in (90, 10, 60))
    mean = (0.5, 0.5, 0.5)
    notes = ("resized to 32 x 32",)
    Dataset("digits", ("0", "1"), train, validation, test, mean, mean, FINGERPRINT, notes).save(path)


def adversarial_set(split: str, cells: tuple[CellSuccesses, ...]) -> AdversarialSet:
    """Its images change one channel of the first pixels to 255 (L0), or all values by the threshold.

    A cell's source indices fall from row to row, the lowest being its threshold and, for resnet, 3 more.
    """
    rows = [
        (cell.target, cell.norm, cell.threshold, number + cell.threshold + 3 * (cell.target == "resnet"))
        for cell in cells
        for number in reversed(range(cell.successes))
    ]
    targets, norms, thresholds, source = ([row[place] for row in rows] for place in range(4))
    images, labels = made_up_split(60).images[source], made_up_split(60).labels[source]
    for image, (_, norm, threshold, _) in zip(images, rows, strict=True):
        if norm == "l0":
            image[0].reshape(-1)[:threshold] = 255
        else:
            image += threshold
    return AdversarialSet(
        images=images,
        labels=labels,
        target=np.array(targets, dtype="S8"),
        norm=np.array(norms, dtype="S8"),
        threshold=np.array(thresholds, dtype=np.int64),
        source_index=np.array(source, dtype=np.int64),
        target_prediction=1 - labels,
        margin=np.full(len(rows), 2.5, np.float32),
        split=split,
        attacked=cells,
        settings={},
        seed=0,
        versions={},
        dataset_fingerprint=FINGERPRINT,
    )
