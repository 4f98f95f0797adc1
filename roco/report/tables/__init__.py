"""The tables of the report: one file each, with a function `make`; roco/report/contents.py lists them."""

from importlib import import_module
from pathlib import Path

from roco.config import StudyConfig
from roco.report.contents import Item, tables_of
from roco.report.read.collect import Study
from roco.report.tables.table import Content, Table


def make_table(item: Item, study: Study, config: StudyConfig) -> Table:
    """The table that the module of this name makes."""
    content: Content = import_module(f"{__name__}.{item.name}").make(study, config)
    return Table(content.numbers, content.cells, content.notes, name=item.name, title=item.title)


def make_tables(study: Study, config: StudyConfig) -> list[Table]:
    """Every table of the study, in the order of the report."""
    return [make_table(item, study, config) for item in tables_of(config)]


def write_tables(study: Study, config: StudyConfig, folder: str | Path) -> list[Table]:
    """Makes every table and writes its CSV (fractions), Markdown and LaTeX (percent) files into `folder`.

    The same study gives the same bytes: no table holds a time or a date.
    """
    tables = make_tables(study, config)
    for table in tables:
        table.write(folder)
    return tables
