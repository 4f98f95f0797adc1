"""The adversarial images of one cell (split, target, norm, threshold) as a file. How they are made is in `chain`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from roco.errors import ArtifactError
from roco.storage.artifacts import read_arrays, write_arrays

Array = np.ndarray[Any, Any]

KIND = "adversarial_cell"
ARRAYS = ("images", "labels", "source_index", "target_prediction", "margin")
ATTRIBUTES = (
    "split", "target", "norm", "threshold", "attacked", "settings", "seed", "versions", "dataset_fingerprint",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cell:
    """The successes of one attack on one target, by rising source index.

    Attributes:
        images: uint8 `(m, 3, h, w)`: misclassified by the target as they are stored here.
        labels: int64 `(m,)`: the true classes.
        source_index: int64 `(m,)`: the index of the clean image in its split.
        target_prediction: int64 `(m,)`: what the target says now.
        margin: float32 `(m,)`: the logit of that class minus that of the true class.
        split: the split that was attacked.
        target: the name of the network that was attacked.
        norm: `l0` or `linf`.
        threshold: the budget: pixels for l0, 1/255 for linf.
        attacked: how many correctly classified images were attacked.
        settings: the number of images asked for, the thresholds of the chain, the attack.
        seed: of everything random.
        versions: of the packages that decide numbers.
        dataset_fingerprint: of the data set of the split.
    """

    images: Array
    labels: Array
    source_index: Array
    target_prediction: Array
    margin: Array
    split: str
    target: str
    norm: str
    threshold: int
    attacked: int
    settings: dict[str, Any]
    seed: int
    versions: dict[str, str]
    dataset_fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    def save(self, path: str | Path) -> None:
        """Writes the cell as an HDF5 artifact of kind `adversarial_cell`; the same cell gives the same bytes."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        write_arrays(path, KIND, arrays, {name: getattr(self, name) for name in ATTRIBUTES}, compress=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The cell that `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged, edited, or no cell.
        """
        arrays, attributes = read_arrays(path, KIND)
        check_names(path, arrays, ARRAYS)
        check_names(path, attributes, ATTRIBUTES)
        check_images(path, arrays)
        fields: dict[str, Any] = {**arrays, **attributes}
        return cls(**fields)


def check_names(path: str | Path, content: Mapping[str, Any], expected: tuple[str, ...]) -> None:
    """Raises ArtifactError unless a file holds exactly the expected names."""
    if set(content) != set(expected):
        raise ArtifactError(f"{path}: expected {', '.join(expected)}, found {', '.join(sorted(content))}; make it anew")


def check_images(path: str | Path, arrays: Mapping[str, Array]) -> None:
    """Raises ArtifactError unless all arrays have the same length and the images are uint8 `(m, 3, h, w)`."""
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or any(len(array) != len(images) for array in arrays.values()):
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise ArtifactError(f"{path}: expected one label and one uint8 image (3, h, w) per row, found {shapes}")
