"""Accuracy against radius: the share of images that no attack fools within it."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import mean_accuracy, searches_in
from roco.report.measures.measured import over_retrainings
from roco.report.read.collect import Study

CURVE = ["search", "radius", "accuracy", "low", "high", "basis", "seeds", "networks", "retrainings", "images"]


def accuracy_curves(study: Study, config: StudyConfig) -> pd.DataFrame:
    """Mean accuracy of each search's networks at each radius, in 1/255: CURVE."""
    rows, measured = [], over_retrainings(study.curves, ["radius"])
    for search in searches_in(measured, config):
        of_search = measured[measured["search"] == search]
        for radius in sorted(of_search["radius"].unique()):
            part = of_search[of_search["radius"] == radius]
            mean = mean_accuracy(part, search)
            counts = (part["seed"].nunique(), len(part), int(part["retrainings"].sum()), int(part["images"].max()))
            rows.append((search, float(radius), *mean.bounds, mean.basis, *counts))
    return pd.DataFrame(rows, columns=CURVE)
