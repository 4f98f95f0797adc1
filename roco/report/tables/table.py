"""One table: its numbers as they are (fractions), and as people read them (percent) in Markdown, LaTeX and HTML.

What the numbers are is known to the modules that make them.
"""

import csv
import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from roco.files import atomic

NO_VALUE = "–"
MINUS = "−"


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: the stem of its files, such as table_1.
        title: one line.
        numbers: the raw numbers, one row a thing; goes to CSV.
        cells: the same for people: header first, then rows of text.
        notes: what a reader must know to read it rightly.
    """

    name: str
    title: str
    numbers: pd.DataFrame
    cells: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        """The header row."""
        return self.cells[0]

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows below the header."""
        return self.cells[1:]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column whether it holds numbers, which are set flush right."""
        return tuple(all(_is_number(row[i]) for row in self.rows) for i in range(len(self.header)))

    def csv(self) -> str:
        """The numbers as CSV; fractions stay fractions, a missing value is empty."""
        return self.numbers.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)

    def markdown(self) -> str:
        """The table as GitHub Markdown, with its title and notes."""
        lines = [f"**{self.title}**", "", _piped(self.header)]
        lines.append(_piped(["---:" if number else "---" for number in self.numeric]))
        lines += [_piped([cell.replace("|", "\\|") for cell in row]) for row in self.rows]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        """The table as a LaTeX float with booktabs' rules; notes follow it as small print."""
        columns = "".join("r" if number else "l" for number in self.numeric)
        rows = [" & ".join(map(_latex, row)) + r" \\" for row in self.rows]
        lines = [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{_latex(self.title)}}}",
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_latex, self.header)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize {_latex(note)}" for note in self.notes),
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """The table's element; cells are escaped, the title and notes are left to the page."""
        kinds = ["number" if number else "text" for number in self.numeric]

        def row(cells: Sequence[str], tag: str) -> str:
            scope = ' scope="col"' if tag == "th" else ""
            pairs = zip(kinds, cells, strict=True)
            return "<tr>" + "".join(f'<{tag}{scope} class="{k}">{html.escape(c)}</{tag}>' for k, c in pairs) + "</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table><thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody></table>"

    def write(self, folder: str | Path) -> None:
        """Writes {name}.csv, {name}.md and {name}.tex."""
        for suffix, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            with atomic(Path(folder) / f"{self.name}.{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# A number, perhaps with an interval or a second one behind it; genomes and keys are longer.
_NUMBER = re.compile(rf"[{MINUS}+]?(\d{{1,6}}|\d{{1,3}}(,\d{{3}})+)(\.\d+)?( \(.*\)\*?(, d .*)?| / .*)?( †)?")


def _is_number(cell: str) -> bool:
    return cell in ("", NO_VALUE) or _NUMBER.fullmatch(cell) is not None


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    MINUS: "$-$",
    "–": "--",
    "×": r"$\times$",
    "†": r"\dag{}",
    "∞": r"$\infty$",
    "ε": r"$\varepsilon$",
    "₂": "$_2$",
    "≤": r"$\leq$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "$<$",
    **{symbol: "\\" + symbol for symbol in "%&_#$"},
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def missing(value: object) -> bool:
    """Whether a cell of a frame holds no value."""
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def percent(value: float | None, *, digits: int = 1, sign: bool = False) -> str:
    """A fraction as percent without its sign; a missing value as a dash."""
    if missing(value) or value is None:
        return NO_VALUE
    # `z`: what rounds to zero has no minus.
    return f"{100 * value:{'+' if sign else ''}z.{digits}f}".replace("-", MINUS)


def percent_interval(value: float | None, low: float | None, high: float | None, *, sign: bool = False) -> str:
    """A fraction and its interval as percent: `81.9 (79.0–84.1)`, or `+1.2 (−0.3 to +2.7)`."""
    shown = percent(value, sign=sign)
    if shown == NO_VALUE or missing(low):
        return shown
    # A dash between signed numbers would read as a sign.
    return f"{shown} ({percent(low, sign=sign)}{' to ' if sign else '–'}{percent(high, sign=sign)})"


def millions(value: float | None, *, digits: int = 2) -> str:
    """A count in millions."""
    return NO_VALUE if missing(value) or value is None else f"{float(value) / 1e6:.{digits}f}"


def whole(value: int | float | None) -> str:
    """A whole number with thousands separated."""
    return NO_VALUE if missing(value) or value is None else f"{int(value):,}"
