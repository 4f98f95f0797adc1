"""The columns of a study's frames and their types; for fields of records the types of the records.

Fractions are in [0, 1], FLOPs are multiply-adds.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from roco.attacks.records import AttackSummary, CellErrors, CellName, CellSuccesses, Flag, TransferPair
from roco.report.read.nas_benchmarks import AttackedNetwork
from roco.retraining.records import EndedTraining, MeasuredNetwork, Slot
from roco.search.records import Evaluation, Front, Individual, Population
from roco.training.records import TargetMetrics

# Nullable integers: a failed network has no FLOPs, and a float column would print the others as 1.0e7.
WHOLE, NUMBER, OTHER = "Int64", "float64", "object"
_TYPES: Mapping[Any, str] = {int: WHOLE, float: NUMBER, float | None: NUMBER, bool: "bool"}


def _fields(record: type[BaseModel], *names: str) -> dict[str, str]:
    """Some fields of a record as columns; all fields if none is named."""
    fields = record.model_fields
    return {name: _TYPES.get(fields[name].annotation, OTHER) for name in names or fields}


_INDIVIDUAL = ("genome", "key", "status", "error", "adversarial_error", "flops", "parameters")
_PLACE = _fields(Slot)
_TRAINING = {**_PLACE, "key": OTHER}

# split: the split whose adversarial images are made from the target.
TARGETS = _fields(TargetMetrics, "split", "target", "parameters", "epochs", "validation_error", "test_error", "seconds")
CELLS = {"split": OTHER, **_fields(CellSuccesses)}
# clean, adversarial: uint8 (3, h, w).
EXAMPLES = {
    **_fields(CellName),
    "source_index": WHOLE,
    "label": WHOLE,
    "class_name": OTHER,
    "prediction": WHOLE,
    "predicted_class": OTHER,
    "margin": NUMBER,
    "clean": OTHER,
    "adversarial": OTHER,
}
TRANSFER = _fields(TransferPair)
EVALUATIONS = {
    **_fields(Population, "search", "seed", "generation"),
    **_fields(Evaluation, *_INDIVIDUAL, "reason", "epochs", "seconds", "device"),
}
# evaluations: different networks that the search had evaluated by then.
POPULATIONS = {
    **_fields(Population, "search", "seed", "generation"),
    "evaluations": WHOLE,
    **_fields(Individual, "born", "rank", *_INDIVIDUAL),
}
# further: the values of a search's other objectives by name.
FRONTS = {**_fields(Front, "search", "seed"), "position": WHOLE, **_fields(Individual, *_INDIVIDUAL, "further")}
# channels: a number, or the widths of the phases as text. test_right: 1 or 0 for each test image. For each test image
# behind the adversarial set: adversarial_sizes, the number of adversarial images made from it; adversarial_right, how
# many of them are right; adversarial_noise_right, how many are right with noise of the same budgets instead;
# adversarial_before, 1 or 0, whether the test image itself is right.
NETWORKS = {
    **_PLACE,
    **_fields(MeasuredNetwork, "status", "reason", "genome", "key", "channels", "flops", "parameters"),
    **_fields(MeasuredNetwork, "search_flops", "search_parameters", "test_images"),
    "test_correct": WHOLE,
    "test_accuracy": NUMBER,
    "test_right": OTHER,
    "adversarial_images": WHOLE,
    "adversarial_correct": WHOLE,
    "adversarial_accuracy": NUMBER,
    "adversarial_sizes": OTHER,
    "adversarial_right": OTHER,
    "adversarial_before": OTHER,
    "adversarial_noise_right": OTHER,
    "white_box_images": WHOLE,
    "clean_accuracy": NUMBER,
}
BREAKDOWN = {**_PLACE, **_fields(CellErrors)}
# right: 1 or 0 for each attacked image.
ATTACKS = {
    **_TRAINING,
    "attack": OTHER,
    "images": WHOLE,
    "right": OTHER,
    **_fields(AttackSummary, "method", "correct", "accuracy", "median_l2", "median_linf", "failures"),
}
TRAININGS = {**_TRAINING, **_fields(EndedTraining, "status", "seconds")}
# radius in 1/255; 0 is no attack. right: 1 or 0 for each attacked image.
CURVES = {**_TRAINING, "radius": NUMBER, "images": WHOLE, "correct": WHOLE, "accuracy": NUMBER, "right": OTHER}
# distances: a tuple in [0, 1] units for the attacked images; 0 if wrong from the start, infinite if nothing was found.
PERTURBATIONS = {**_TRAINING, "norm": OTHER, "distances": OTHER}
FLAGS = {**_TRAINING, "flag": OTHER, **_fields(Flag, "raised", "detail")}
BENCHMARKS = _fields(AttackedNetwork)
