"""The rows of networks, attacks, curves, smallest perturbations and flags from robustness.json."""

from collections.abc import Iterable, Iterator

import numpy as np

from roco.report.numbers.shares import from_marks
from roco.retraining.records import FailedTraining, MeasuredNetwork

Row = dict[str, object]


def network_row(record: FailedTraining | MeasuredNetwork) -> Row:
    """The row of a retraining. Counts are kept beside fractions, because intervals need them."""
    row = dict(record)
    if not isinstance(record.channels, int):
        # A list does not fit in a cell.
        row["channels"] = ", ".join(map(str, record.channels))
    return row if isinstance(record, FailedTraining) else {**row, **_measured(record)}


def _measured(record: MeasuredNetwork) -> Row:
    test_right, sources = from_marks(record.right_images), record.adversarial_sources
    sizes, right, noise = (
        np.array(count, dtype=np.int64) for count in (sources.images, sources.right, sources.noise_right)
    )
    images, correct = int(sizes.sum()), int(right.sum())
    return {
        "test_correct": int(test_right.sum()),
        "test_accuracy": 1.0 - record.test_error,
        "test_right": test_right,
        "adversarial_images": images,
        "adversarial_correct": correct,
        "adversarial_accuracy": correct / images if images else None,
        "adversarial_sizes": sizes,
        "adversarial_right": right,
        "adversarial_before": test_right[np.array(sources.source_index, dtype=np.int64)],
        "adversarial_noise_right": noise,
        "white_box_images": record.white_box.images,
        "clean_accuracy": record.white_box.clean_accuracy,
    }


def breakdown_rows(records: Iterable[MeasuredNetwork]) -> Iterator[Row]:
    """A row for each retraining and cell of the test adversarial set."""
    for record in records:
        for cell in record.adversarial_breakdown:
            yield {**_place(record), **dict(cell)}


def attack_rows(records: Iterable[MeasuredNetwork]) -> Iterator[Row]:
    """A row for each retraining and white-box attack."""
    for record in records:
        for name, attack in record.white_box.attacks.items():
            right = from_marks(attack.robust_images)
            yield {**_place(record), **dict(attack), "attack": name, "images": len(right), "right": right}


def curve_rows(records: Iterable[MeasuredNetwork]) -> Iterator[Row]:
    """A row for each retraining and radius in 1/255; radius 0 is the accuracy without an attack."""
    for record in records:
        if curve := record.white_box.curve:
            marks = [record.white_box.right_images[: curve.images], *curve.robust_images]
            for radius, right in zip([0.0, *curve.radii], map(from_marks, marks), strict=True):
                correct = int(right.sum())
                counts = {"images": curve.images, "correct": correct, "accuracy": correct / curve.images}
                yield {**_place(record), "radius": radius, **counts, "right": right}


def perturbation_rows(records: Iterable[MeasuredNetwork]) -> Iterator[Row]:
    """A row for each retraining and norm, with the distance of each image: 0 if it was wrong from the start."""
    for record in records:
        for norm, smallest in record.white_box.smallest_perturbations.items():
            distances = tuple(float("inf") if distance is None else distance for distance in smallest.per_image)
            yield {**_place(record), "norm": norm, "distances": distances}


def flag_rows(records: Iterable[MeasuredNetwork]) -> Iterator[Row]:
    """A row for each retraining and flag."""
    for record in records:
        for flag in record.white_box.flags:
            yield {**_place(record), "flag": flag.name, "raised": flag.raised, "detail": flag.detail}


def _place(record: MeasuredNetwork) -> Row:
    return {name: getattr(record, name) for name in ("search", "seed", "slot", "training_seed", "key")}
