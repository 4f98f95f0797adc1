"""Figure 4: parameters of the lightest networks."""

import pandas as pd
from matplotlib.figure import Figure

from roco.config import StudyConfig
from roco.report.figures.lightest_cost import draw_cost, numbers

__all__ = ["CAPTION", "draw", "numbers"]
CAPTION = "The same networks as in Figure 3."


def draw(data: pd.DataFrame, config: StudyConfig) -> Figure:
    """The parameters of each network, and their mean."""
    return draw_cost(data, config, "parameters", "Parameters, millions")
