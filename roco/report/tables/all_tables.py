"""All tables of the report by name, and their files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from roco.config import StudyConfig
from roco.report.read.collect import Study
from roco.report.tables.accuracy_tables import adversarial_accuracy, clean_accuracy
from roco.report.tables.beyond_tables import objective_value, survivors, topology
from roco.report.tables.control_table import hypervolume_gain
from roco.report.tables.differences_table import all_differences
from roco.report.tables.equal_accuracy import equal_accuracy
from roco.report.tables.explained import explained
from roco.report.tables.hypervolume_table import hypervolume_test
from roco.report.tables.network_tables import compared_networks, fronts, searches
from roco.report.tables.retrained_tables import retrainings, white_box
from roco.report.tables.robustness_tables import curve_table, flags_table, smallest_table
from roco.report.tables.set_accuracy import set_accuracy
from roco.report.tables.setup_tables import adversarial_samples, settings
from roco.report.tables.spread_table import objective_spread
from roco.report.tables.table import Table
from roco.report.tables.transfer import transfer_table

TABLES: Mapping[str, Callable[[Study, StudyConfig], Table]] = MappingProxyType(
    {
        "table_1": adversarial_samples,
        "transfer": transfer_table,
        "table_2": settings,
        "table_3": adversarial_accuracy,
        "set_accuracy": set_accuracy,
        "table_4": clean_accuracy,
        "table_5": compared_networks,
        "differences": all_differences,
        "equal_accuracy": equal_accuracy,
        "white_box": white_box,
        "retrainings": retrainings,
        "robustness_curve": curve_table,
        "smallest_perturbations": smallest_table,
        "flags": flags_table,
        "searches": searches,
        "control": hypervolume_gain,
        "hypervolume_test": hypervolume_test,
        "fronts": fronts,
        "objective": objective_value,
        "objective_spread": objective_spread,
        "topology": topology,
        "explained": explained,
        "survivors": survivors,
    }
)


def make_tables(study: Study, config: StudyConfig) -> list[Table]:
    """Every table of the study, in the order of the report."""
    return [make(study, config) for make in TABLES.values()]


def write_tables(study: Study, config: StudyConfig, folder: str | Path) -> list[Table]:
    """Makes every table and writes its CSV (fractions), Markdown and LaTeX (percent) files into `folder`.

    The same study gives the same bytes: no table holds a time or a date.
    """
    tables = make_tables(study, config)
    for table in tables:
        table.write(folder)
    return tables
