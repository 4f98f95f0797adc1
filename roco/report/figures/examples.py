"""Examples of the adversarial set: for each cell a clean image, its adversarial image, and their difference."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures import PIXELS
from roco.report.figures.fonts import families
from roco.report.figures.style import new_figure, say_empty
from roco.report.measures.targets import NORM_TITLES, TARGET_TITLES
from roco.report.numbers.format import whole
from roco.report.read.collect import Study, rows_of

CAPTION = (
    "For each norm and threshold (rows) and target: a test image that the target had right, the adversarial image, and "
    "their difference on grey; below them the true class and the target's prediction. L∞ differences are scaled so "
    "that the threshold is black or white, L0 differences are halved. Shown is the first success of each cell by its "
    "number in the test images. The CSV file has this number, the margin in logits and the distances."
)
NUMBERS = ["norm", "threshold", "target", "attacked", "successes", "source_index", "label", "class_name"]
NUMBERS += ["prediction", "predicted_class", "margin", "changed_pixels", "linf", "l2"]
# Distances in tiles: between images, between targets, between rows.
_STEP, _TARGET, _ROW = 1.05, 3.5, 1.55
_LARGEST_TILE = 0.42
_LONGEST_NAME = 10


def numbers(study: Study, config: StudyConfig) -> pd.DataFrame:
    """A row for each cell of the test set, with the numbers and pixels of its example if it has a success.

    `linf` is the largest change of a value in 1/255, `l2` the Euclidean distance in [0, 1] units.
    """
    del config
    cells = study.cells[study.cells["split"] == "test"]
    shown = cells.merge(study.examples, on=["target", "norm", "threshold"], how="left")
    pairs = [_distances(row) for row in rows_of(shown)]
    measured = pd.DataFrame(pairs, columns=["changed_pixels", "linf", "l2"], index=shown.index)
    measured = measured.astype({"changed_pixels": "Int64", "linf": "Int64", "l2": "float64"})
    shown = pd.concat([shown, measured], axis=1)
    return shown.sort_values(["norm", "threshold", "target"], ignore_index=True)[[*NUMBERS, *PIXELS]]


def _distances(row: Any) -> tuple[int | None, int | None, float]:
    if not isinstance(row.clean, np.ndarray):
        return None, None, np.nan
    # Wider than uint8, whose differences would wrap around.
    change = row.adversarial.astype(np.int64) - row.clean
    return int(change.any(axis=0).sum()), int(abs(change).max()), float(np.sqrt((change**2).sum()) / 255)


def difference_on_grey(clean: Any, adversarial: Any, *, norm: str, threshold: int) -> Any:
    """The change of an image, uint8 `(3, h, w)` around 128.

    Args:
        clean: uint8 `(3, h, w)`.
        adversarial: uint8 `(3, h, w)`.
        norm: `linf` is scaled so that the threshold is black or white, `l0` is halved.
        threshold: of the cell.
    """
    change = adversarial.astype(np.int64) - clean
    factor = 127 / threshold if norm == "linf" else 0.5
    return np.clip(128 + np.rint(change * factor), 0, 255).astype(np.uint8)


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """A row for each norm and threshold, three images for each target."""
    targets = [name for name in TARGET_TITLES if name in set(data["target"])]
    if not targets or not any(isinstance(image, np.ndarray) for image in data["clean"]):
        figure, [axis] = new_figure(height=2.0)
        say_empty(axis, "no adversarial test image")
        return figure
    rows = [(norm, threshold) for norm in NORM_TITLES for threshold in config.adversarial.thresholds]
    width, height = _TARGET * len(targets), _ROW * len(rows)
    tile = min(_LARGEST_TILE, 4.8 / width)
    figure, [axis] = new_figure(height=0.4 + tile * height)
    for row in rows_of(data):
        if (row.norm, row.threshold) in rows:
            _draw_cell(axis, row, _TARGET * targets.index(row.target), _ROW * rows.index((row.norm, row.threshold)))
    axis.set(xlim=(-0.1, width), ylim=(height, -0.1), aspect="equal", anchor="NW")
    titles = [TARGET_TITLES[name] for name in targets]
    axis.set_xticks([_TARGET * index + _STEP + 0.5 for index in range(len(targets))], titles)
    axis.set_yticks(
        [_ROW * index + 0.5 for index in range(len(rows))], [f"{NORM_TITLES[n]} {t}" for n, t in rows], fontsize=8
    )
    axis.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return figure


def _draw_cell(axis: Axes, row: Any, left: float, top: float) -> None:
    middle = left + _STEP + 0.5
    if not isinstance(row.clean, np.ndarray):
        failed = f"none of {whole(row.attacked)}"
        axis.text(middle, top + 0.5, failed, ha="center", va="center", fontsize=6, style="italic", alpha=0.8)
        return
    change = difference_on_grey(row.clean, row.adversarial, norm=row.norm, threshold=int(row.threshold))
    for column, image in enumerate((row.clean, row.adversarial, change)):
        x = left + _STEP * column
        # Not smoothed, so that a changed pixel can be seen. Named by the cell: by default equal images of several cells
        # would have the same name.
        name = f"{row.norm}-{row.threshold}-{row.target}-{column}"
        axis.imshow(image.transpose(1, 2, 0), extent=(x, x + 1, top + 1, top), interpolation="none", gid=name)
    classes = f"{_short(row.class_name)} → {_short(row.predicted_class)}"
    text = axis.text(middle, top + 1.06, classes, ha="center", va="top", fontsize=6, family=families(classes))
    # Shown instead if no font has the names.
    text.set_label(f"{whole(row.label)} → {whole(row.prediction)}")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
