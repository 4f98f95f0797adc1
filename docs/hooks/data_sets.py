"""The table of published data sets in the page on own data sets, made from their declarations."""

from typing import Any

from roco.data.declaration import DataSet
from roco.data.sets import DATA_SETS

MARK = "<!-- table of data sets -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the table in the place of its mark; called by MkDocs."""
    return markdown.replace(MARK, table_of_data_sets())


def table_of_data_sets() -> str:
    """A row for each data set whose sizes are known."""
    rows = [_row(data_set) for data_set in DATA_SETS.values() if data_set.sizes and data_set.pixels]
    head = "| `dataset.name` | | training images | test images | classes | pixels |"
    return "\n".join([head, "|---|---|--:|--:|--:|---|", *rows])


def _row(data_set: DataSet) -> str:
    assert data_set.sizes
    assert data_set.pixels
    sizes, (height, width, channels) = data_set.sizes, data_set.pixels
    counts = f"{sizes.train:,} | {sizes.test:,} | {sizes.classes}"
    return f"| `{data_set.name}` | {data_set.title} | {counts} | {height} x {width}{', grey' * (channels == 1)} |"
