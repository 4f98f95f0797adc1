"""The distances of attacks without a budget."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.compare import attacks_without_budget
from roco.report.read.collect import PLACE, Study


def distances(study: Study, config: StudyConfig) -> pd.DataFrame:
    """For each network and attack without a budget the median L2 length of its perturbations, mean over retrainings.

    Columns: PLACE, `key`, `metric` (the attack's name), `distance` (missing if a retraining has none), and the smallest
    and largest of its retrainings, `low` and `high`.
    """
    rows = study.attacks[study.attacks["attack"].isin(attacks_without_budget(config))].rename(
        columns={"attack": "metric"}
    )
    lengths = rows.groupby([*PLACE, "key", "metric"], sort=False)["median_l2"]
    table = lengths.agg(distance=lambda part: part.mean(skipna=False), low="min", high="max").reset_index()
    return table.astype(dict.fromkeys(("distance", "low", "high"), "float64"))
