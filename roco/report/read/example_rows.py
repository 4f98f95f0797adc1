"""Reads an adversarial image of each cell of the test set, with its clean image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from roco.attacks.records import CellName
from roco.attacks.sets import KIND, AdversarialSet
from roco.data.dataset import Dataset
from roco.report.read.robustness_rows import Row
from roco.storage.artifacts import read_attributes, schema


def example_rows(sets: Sequence[str | Path], images: Sequence[str | Path]) -> list[Row]:
    """The first success, by source index, of each cell of the test set with a success.

    Args:
        sets: the adversarial sets of any splits.
        images: the data set; without it there is nothing to show.

    Raises:
        ArtifactError: a file is missing, damaged, or the set was made from another data set.
    """
    rows: list[Row] = []
    tests = [path for path in sets if read_attributes(path, KIND).get("split") == "test"]
    for dataset_path in images if tests else ():
        dataset = Dataset.load(dataset_path)
        for path in tests:
            adversarial = AdversarialSet.load(path, {"dataset_fingerprint": dataset.fingerprint})
            with schema(path, KIND):
                rows += [
                    _example(adversarial, cell, dataset)
                    for cell in adversarial.attacked
                    if adversarial.rows(cell).any()
                ]
    return rows


def _example(adversarial: AdversarialSet, cell: CellName, dataset: Dataset) -> Row:
    members = np.flatnonzero(adversarial.rows(cell))
    row = int(members[adversarial.source_index[members].argmin()])
    source, label, prediction = (
        int(a[row]) for a in (adversarial.source_index, adversarial.labels, adversarial.target_prediction)
    )
    return {
        "target": cell.target,
        "norm": cell.norm,
        "threshold": cell.threshold,
        "source_index": source,
        "label": label,
        "class_name": dataset.class_names[label],
        "prediction": prediction,
        "predicted_class": dataset.class_names[prediction],
        "margin": float(adversarial.margin[row]),
        "clean": dataset.test.images[source],
        "adversarial": adversarial.images[row],
    }
