"""Figure 3: FLOPs of the lightest networks."""

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.lightest_cost import draw_cost, numbers

__all__ = ["CAPTION", "draw", "numbers"]
CAPTION = "The N lightest retrained networks of each search and seed; the bar is their mean."


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The FLOPs of each network, and their mean."""
    return draw_cost(data, config, "flops", "FLOPs, millions of multiply-adds")
