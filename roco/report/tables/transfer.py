"""Transfer of the adversarial set between its targets."""

import pandas as pd

from roco.config import StudyConfig
from roco.report.measures.targets import NORM_TITLES, TARGET_TITLES, makers_of_test_set
from roco.report.measures.transfer import transfer_shares
from roco.report.numbers.format import NO_VALUE, percent, percent_interval
from roco.report.read.collect import Study, rows_of
from roco.report.tables.table import Content


def make(study: Study, config: StudyConfig) -> Content:
    """The transfer of each cell of the test set to each other target, and that of noise."""
    numbers = transfer_shares(study)
    targets = [name for name in TARGET_TITLES if name in set(numbers["target"])]
    header = ("Norm", "Threshold", "Made on", *(f"fools {TARGET_TITLES[name]}" for name in targets))
    cells = []
    for norm, title in NORM_TITLES.items():
        for threshold in config.adversarial.thresholds:
            of_cell = numbers[(numbers["norm"] == norm) & (numbers["threshold"] == threshold)]
            for source in targets:
                part = of_cell[of_cell["source"] == source]
                shown = [_shown(part[part["target"] == target]) for target in targets]
                cells.append((title, str(threshold), TARGET_TITLES[source], *shown))
    notes = (
        makers_of_test_set(config),
        "Of the test images that fool the target they were made on and that the other target had right before: the "
        "percentage that the other target gets wrong, its 95 % interval over these images, and the percentage that it "
        "gets wrong with random noise of the same budget on the same clean images.",
        "An adversarial image says something about other networks only as far as it transfers better than noise.",
    )
    return Content(numbers, (header, *cells), notes)


def _shown(pair: pd.DataFrame) -> str:
    for row in rows_of(pair[pair["images"] > 0]):
        return f"{percent_interval(row.share, row.low, row.high)[:-1]}; noise {percent(row.noise_share)})"
    return NO_VALUE
