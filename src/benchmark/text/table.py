"""A table of text: aligned for the terminal, or Markdown."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...engine.printable import printable

__all__ = [
    "NONE",
    "Table",
    "digits",
    "markdown_line",
    "markdown_list",
    "markdown_rows",
    "markdown_table",
    "markdown_text",
    "text_table",
]

NONE = "-"
_MARKS = re.compile(r"[\\`*_\[\]|~]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)  # the last two begin a bare link
_ENTITIES = {"&": "&amp;", "<": "&lt;"}
_BLOCK = re.compile(r"\d{1,9}(?=[.)])|(?=[#+=>-])")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        title: what it shows.
        columns: the heads; all columns but the first are aligned right.
        rows: the cells.
        notes: what its marks mean.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def text_table(table: Table) -> str:
    """Return the table in aligned columns."""
    head, *body = [list(map(printable, cells)) for cells in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join([first, *rest]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    notes = map(printable, table.notes)
    return "\n".join([printable(table.title), "", line(head), rule, *map(line, body), *notes])


def markdown_table(table: Table) -> str:
    """Return the table as a section of Markdown."""
    notes = "\n".join(f"{markdown_line(note)}  " for note in table.notes)
    return f"## {markdown_text(table.title)}\n\n{markdown_rows(table)}\n\n{notes}"


def markdown_rows(table: Table) -> str:
    """Return the head and the rows of a table in Markdown."""

    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(map(markdown_text, cells))} |"

    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(table.columns) - 1)) + "|"
    return "\n".join([line(table.columns), rule, *map(line, table.rows)])


def markdown_list(lines: Iterable[str]) -> str:
    """Return texts as the items of a list in Markdown."""
    return "\n".join(f"- {markdown_line(line)}" for line in lines)


def markdown_line(text: str) -> str:
    """Return a text as `markdown_text` does, fit to begin a line: it is no heading, list or rule."""
    shown = markdown_text(text.strip())
    begin = _BLOCK.match(shown)
    return shown if begin is None else f"{begin[0]}\\{shown[begin.end() :]}"


def markdown_text(text: str) -> str:
    """Return a text from anywhere that Markdown shows as it is, in one line: no HTML, link, image or mark."""
    marked = _MARKS.sub(r"\\\g<0>", printable(text))
    return "".join(_ENTITIES.get(letter, letter) for letter in marked)


def digits(value: float) -> str:
    """Return three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
