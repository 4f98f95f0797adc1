"""The adversarial set of a split: its cells in one file, and what a network gets wrong of it.

Workers of the search import this module: it needs neither torch nor pandas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import TypeAdapter

from roco.attacks.records import CellErrors, CellName, CellSuccesses
from roco.attacks.sets.cell import Array, Cell, check_images, check_names
from roco.errors import ArtifactError, AttackError
from roco.storage.artifacts import check_provenance, digest, read_arrays, write_arrays
from roco.storage.records import check_content

KIND = "adversarial_set"
SCHEMA_VERSION = 1
ARRAYS = (
    "images", "labels", "target", "norm", "threshold", "source_index", "target_prediction", "margin",
)  # fmt: skip
_SUCCESSES = TypeAdapter(tuple[CellSuccesses, ...])
ATTRIBUTES = ("split", "attacked", "settings", "seed", "versions", "dataset_fingerprint")
NOTHING = (
    "no attack succeeded, so that nothing can be measured on the adversarial set; raise adversarial.images, "
    "adversarial.thresholds, or the queries, steps or restarts of adversarial.l0_attack and adversarial.linf_attack"
)


@dataclass(frozen=True, eq=False)
class AdversarialSet:
    """The successes of all attacks on all targets of a split, cell after cell by target, norm and threshold.

    Attributes:
        images: uint8 `(m, 3, h, w)`.
        labels: int64 `(m,)`: the true classes.
        target: bytes `(m,)`: the name of the network that the image was made to fool.
        norm: bytes `(m,)`: `l0` or `linf`.
        threshold: int64 `(m,)`: the budget, in pixels or 1/255.
        source_index: int64 `(m,)`: the index of the clean image in the split.
        target_prediction: int64 `(m,)`: what the target says of the image.
        margin: float32 `(m,)`: the logit of that class minus that of the true class.
        split: `validation` or `test`.
        attacked: the cells, also those without images.
        settings: the number of images, the thresholds, the attack of each norm.
        seed: of everything random.
        versions: of the packages that decide numbers.
        dataset_fingerprint: of the data set.
    """

    images: Array
    labels: Array
    target: Array
    norm: Array
    threshold: Array
    source_index: Array
    target_prediction: Array
    margin: Array
    split: str
    attacked: tuple[CellSuccesses, ...]
    settings: dict[str, Any]
    seed: int
    versions: dict[str, str]
    dataset_fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, cell: CellName) -> Array:
        """Which images belong to a cell, bool `(m,)`."""
        rows: Array = (
            (self.target == cell.target.encode())
            & (self.norm == cell.norm.encode())
            & (self.threshold == cell.threshold)
        )
        return rows

    def save(self, path: str | Path) -> None:
        """Writes the set as an HDF5 artifact of kind `adversarial_set`; the same set gives the same bytes."""
        attributes = {name: getattr(self, name) for name in ATTRIBUTES}
        attributes["attacked"] = [cell.model_dump() for cell in self.attacked]
        attributes |= {"schema_version": SCHEMA_VERSION, "settings_hash": digest(self.settings)}
        write_arrays(path, KIND, {name: getattr(self, name) for name in ARRAYS}, attributes, compress=True)

    @classmethod
    def load(cls, path: str | Path, made_for: Mapping[str, Any] | None = None) -> Self:
        """The set that `save` wrote.

        Args:
            path: of the file.
            made_for: values that some of its attributes (its split, its data set) must have.

        Raises:
            ArtifactError: the file is missing, damaged, edited, of another schema version, no adversarial set, or has
                other attributes than `made_for`.
        """
        arrays, attributes = read_arrays(path, KIND)
        check_names(path, arrays, ARRAYS)
        check_names(path, attributes, (*ATTRIBUTES, "schema_version", "settings_hash"))
        check_provenance(path, attributes, made_for or {})
        check_images(path, arrays)
        if (version := attributes.pop("schema_version")) != SCHEMA_VERSION:
            raise ArtifactError(f"{path}: expected schema version {SCHEMA_VERSION}, found {version}; make it anew")
        if attributes.pop("settings_hash") != digest(attributes["settings"]):
            raise ArtifactError(f"{path}: its settings do not match their hash; make it anew")
        attributes["attacked"] = check_content(path, KIND, _SUCCESSES.validate_python, attributes["attacked"])
        fields: dict[str, Any] = {**arrays, **attributes}
        return cls(**fields)


# ---------------------------------------------------------------------------------------------------------------
# Making


def join_cells(cells: Sequence[Cell]) -> AdversarialSet:
    """The cells of a split as one set, sorted by target, norm and threshold.

    Raises:
        AttackError: there are no cells, two cells of the same target, norm and threshold, cells that do not belong
            together, or no images.
    """
    cells = sorted(cells, key=lambda cell: (cell.target, cell.norm, cell.threshold))
    names = [(cell.target, cell.norm, cell.threshold) for cell in cells]
    if not cells or len(set(names)) != len(names):
        raise AttackError(f"adversarial set: expected different cells, at least one, got {names}")
    if not any(len(cell) for cell in cells):
        raise AttackError(f"{cells[0].split} images: {NOTHING}")

    def joined(name: str) -> Array:
        return np.concatenate([getattr(cell, name) for cell in cells])

    counts = [len(cell) for cell in cells]
    return AdversarialSet(
        images=joined("images"),
        labels=joined("labels"),
        target=np.repeat(np.array([cell.target for cell in cells], dtype="S"), counts),
        norm=np.repeat(np.array([cell.norm for cell in cells], dtype="S"), counts),
        threshold=np.repeat(np.array([cell.threshold for cell in cells], dtype=np.int64), counts),
        source_index=joined("source_index"),
        target_prediction=joined("target_prediction"),
        margin=joined("margin"),
        split=_common(cells, "split"),
        attacked=tuple(
            CellSuccesses(
                target=cell.target,
                norm=cell.norm,
                threshold=cell.threshold,
                attacked=cell.attacked,
                successes=len(cell),
            )
            for cell in cells
        ),
        settings=_settings(cells),
        seed=_common(cells, "seed"),
        versions=_versions(cells),
        dataset_fingerprint=_common(cells, "dataset_fingerprint"),
    )


def _common(cells: Sequence[Cell], name: str) -> Any:
    """The value that all cells share."""
    values = [getattr(cell, name) for cell in cells]
    for cell, value in zip(cells, values, strict=True):
        if value != values[0]:
            raise AttackError(
                f"adversarial set: expected cells with one {name}, got {values[0]} and {value} "
                f"({cell.target} {cell.norm} {cell.threshold}); delete the cells and make them anew"
            )
    return values[0]


def _versions(cells: Sequence[Cell]) -> dict[str, str]:
    """The version of each package, or all of them where cells were made with several."""
    names = sorted({name for cell in cells for name in cell.versions})
    return {name: ", ".join(sorted({cell.versions.get(name, "none") for cell in cells})) for name in names}


def _settings(cells: Sequence[Cell]) -> dict[str, Any]:
    """The settings of each norm's attack, which all its cells share."""
    norms = sorted({cell.norm for cell in cells})
    return {norm: _common([cell for cell in cells if cell.norm == norm], "settings") for norm in norms}


# ---------------------------------------------------------------------------------------------------------------
# Measuring


def breakdown(predictions: Any, adversarial: AdversarialSet) -> tuple[CellErrors, ...]:
    """How many images of each cell, also those without images, a network gets wrong.

    Args:
        predictions: int `(m,)` of the set's images in their order, an array or a tensor on the CPU.
        adversarial: the set.

    Raises:
        AttackError: another number of predictions than of images.
    """
    wrong = _wrong(predictions, adversarial)
    return tuple(
        CellErrors(
            **cell.model_dump(include=set(CellName.model_fields)), images=int(rows.sum()), errors=int(wrong[rows].sum())
        )
        for cell, rows in ((cell, adversarial.rows(cell)) for cell in adversarial.attacked)
    )


def adversarial_error(predictions: Any, adversarial: AdversarialSet) -> float:
    """The share of a set's images that a network gets wrong: the paper's adversarial error.

    Args:
        predictions: int `(m,)` of the set's images in their order, an array or a tensor on the CPU.
        adversarial: the set.

    Raises:
        AttackError: another number of predictions than of images, or a set without images.

    Source: paper, Section III. Every image counts once: easy targets and large thresholds, which have more successes,
    count for more.
    """
    if not len(adversarial):
        raise AttackError(f"{adversarial.split} images: {NOTHING}")
    return float(_wrong(predictions, adversarial).mean())


def _wrong(predictions: Any, adversarial: AdversarialSet) -> Array:
    predicted = np.asarray(predictions)
    if predicted.shape != adversarial.labels.shape:
        raise AttackError(f"adversarial set: expected {len(adversarial)} predictions, got {predicted.shape}")
    wrong: Array = predicted != adversarial.labels
    return wrong
