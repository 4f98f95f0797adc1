"""A table: its numbers (fractions) for CSV, and its cells (percent) for Markdown, LaTeX and HTML."""

import csv
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from roco.files import atomic
from roco.report.numbers.format import MINUS, NO_VALUE


@dataclass(frozen=True)
class Content:
    """The content of a table.

    Attributes:
        numbers: the raw numbers, for CSV.
        cells: the numbers as text: the header, then the rows.
        notes: what a reader must know to understand it.
    """

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
        """For each column whether it holds numbers, which are aligned right."""
        return tuple(all(_is_number(row[i]) for row in self.rows) for i in range(len(self.header)))


@dataclass(frozen=True, kw_only=True)
class Table(Content):
    """A table of the report: the stem of its files, such as table_1, its title in one line, and what it holds."""

    name: str
    title: str

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
            return "<tr>" + "".join(f'<{tag}{scope} class="{k}">{_parts(c, k)}</{tag}>' for k, c in pairs) + "</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table><thead>{row(self.header, 'th')}</thead><tbody>{body}</tbody></table>"

    def write(self, folder: str | Path) -> None:
        """Writes {name}.csv, {name}.md and {name}.tex."""
        for suffix, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            with atomic(Path(folder) / f"{self.name}.{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8", newline="\n")


def page_table(name: str, title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table that is only on a page: without a file, and so without numbers."""
    return Table(pd.DataFrame(), (header, *rows), name=name, title=title)


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _parts(cell: str, kind: str) -> str:
    """A cell's text; the parentheses behind a number are separate, so that a narrow table can break there."""
    value, separator, behind = cell.partition(" (")
    if kind == "text" or not separator:
        return html.escape(cell)
    return f"<span>{html.escape(value)}</span> <span>({html.escape(behind)}</span>"


# A number, perhaps with an interval or a second number behind it; genomes and keys are longer.
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
