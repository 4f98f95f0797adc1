"""The figures of the report: one file each with `CAPTION`, `numbers` and `draw`; contents.py has the list."""

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.files import atomic
from roco.report.contents import Item, figures_of
from roco.report.figures.style import figure_settings, save
from roco.report.read.collect import Study

# Columns of arrays of pixels, which a figure draws and no CSV file has.
PIXELS = ("clean", "adversarial")


class FigureModule(Protocol):
    """What the module of a figure has."""

    CAPTION: str

    def numbers(self, study: Study, config: StudyConfig) -> pd.DataFrame:
        """The numbers that it shows, for CSV: one row per point."""

    def draw(self, data: pd.DataFrame, config: StudyConfig) -> Figure:
        """The drawing of these numbers, and of nothing else."""


def figure_module(item: Item) -> FigureModule:
    """The module that draws a figure."""
    return cast("FigureModule", import_module(f"{__name__}.{item.name}"))


def write_figures(study: Study, config: StudyConfig, folder: str | Path) -> None:
    """Writes each figure's SVG, PNG (300 dpi) and numbers (CSV) into `folder`.

    The same study gives the same bytes of SVG and CSV.
    """
    for item in figures_of(config):
        module = figure_module(item)
        data = module.numbers(study, config)
        with atomic(Path(folder) / f"{item.name}.csv") as temporary:
            numbers = data.drop(columns=list(PIXELS), errors="ignore")
            temporary.write_text(numbers.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="\n")
        with figure_settings():
            save(module.draw(data, config), Path(folder) / item.name)
