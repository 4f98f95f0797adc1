"""Of the images that fool one target, the share that fools another target, beside noise of the same budget."""

import pandas as pd

from roco.report.numbers.statistics import wilson
from roco.report.read.collect import Study, rows_of

NUMBERS = ["norm", "threshold", "source", "target", "images", "fooled", "share", "low", "high", "noise", "noise_share"]


def transfer_shares(study: Study) -> pd.DataFrame:
    """The shares of each pair of targets, with Wilson's interval over the images, and those under noise."""
    rows = []
    for pair in rows_of(study.transfer):
        share = wilson(int(pair.fooled), int(pair.images))
        counted = (pair.norm, pair.threshold, pair.source, pair.target, pair.images, pair.fooled)
        noise = wilson(int(pair.noise), int(pair.images))
        rows.append((*counted, *share.bounds, pair.noise, noise.value))
    return pd.DataFrame(rows, columns=NUMBERS)
