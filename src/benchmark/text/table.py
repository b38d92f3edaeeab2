"""A table, said once, and how Markdown and CSV show it.

`terminal` fits it to a terminal's width; `report.html.table` shows it on a page.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from ...engine.printable import printable
from .markdown import markdown_line, markdown_text
from .numbers import percent, plain

_NONE = "-"
_NUMBER = re.compile(r"[~+\-]*([\d,]*\.?\d+)(%?)[*]?")  # as tables show one


@dataclass(frozen=True, slots=True)
class Column:
    """A column."""

    head: str  # its name, with the unit
    numeric: bool = True  # aligned right and sorted by value
    hint: str | None = None  # what it is, in words
    notes: str | None = None  # head of the column that a text makes of its numbers' notes; None: pages only
    page: bool = False  # for pages alone, where there is room
    spare: int = 0  # of a narrow terminal's columns those with the highest are left out first, 0 last


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in a row under a column."""

    text: str | None  # as it is read; None shows the number
    value: float | str | None = None  # what it is sorted by; None is last
    note: str | None = None  # in smaller type below, such as an interval
    kind: str | None = None  # how it is marked: "good", "bad", "best" or nothing


Value: TypeAlias = Entry | str | float | None


def entry_of(value: Value) -> Entry:
    """Return what stands in a row as an entry."""
    return value if isinstance(value, Entry) else Entry(None, value)


@dataclass(frozen=True, slots=True)
class Strip:
    """A column as a text shows it."""

    head: str
    cells: tuple[str, ...]  # a text for each row
    numeric: bool  # aligned right, and never wrapped
    spare: int  # as in `Column`

    def printable(self) -> "Strip":
        """Return it as a terminal may show it."""
        return replace(self, head=printable(self.head), cells=tuple(map(printable, self.cells)))


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column names the row."""

    title: str  # what it shows
    columns: Sequence[Column]  # what stands in a row
    rows: Sequence[Sequence[Value]]  # as many values each; None is not known
    notes: Sequence[str] = ()  # what its marks mean

    def strips(self) -> list[Strip]:
        """Return the columns as a text shows them, one more for the notes of a column that names them."""
        found = []
        for place, column in enumerate(self.columns):
            if column.page:
                continue
            entries = [entry_of(row[place]) for row in self.rows]
            texts = tuple(map(_shown, entries))
            found.append(Strip(column.head, texts, numeric=column.numeric, spare=column.spare))
            if column.notes:
                notes = tuple(one.note if one.note and one.value is not None else _NONE for one in entries)
                found.append(Strip(column.notes, notes, numeric=True, spare=column.spare + 1))
        return found


def left(*heads: str) -> tuple[Column, ...]:
    """Return columns of words."""
    return tuple(Column(head, numeric=False) for head in heads)


def right(*heads: str) -> tuple[Column, ...]:
    """Return columns of numbers."""
    return tuple(map(Column, heads))


def share(value: float | None, note: str | None = None, *, sign: bool = False, places: int = 0) -> Value:
    """Return a share as a percentage."""
    return None if value is None else Entry(percent(value, sign=sign, places=places), value, note)


def number(value: float) -> str:
    """Return a number as tables show it: what was counted as it is, else three significant digits."""
    return f"{value:,}" if isinstance(value, int) else plain(value)


def markdown_table(table: Table, *, heading: str = "## {}") -> str:
    """Return the table in Markdown under its title; whatever stands in it is shown as it is."""
    strips = table.strips()

    def line(row: Sequence[str]) -> str:
        return f"| {' | '.join(map(markdown_text, row))} |"

    rule = f"| {' | '.join('---:' if strip.numeric else '---' for strip in strips)} |"
    body = zip(*(strip.cells for strip in strips), strict=True)
    rows = "\n".join([line([strip.head for strip in strips]), rule, *map(line, body)])
    notes = "\n".join(f"{markdown_line(note)}  " for note in table.notes)
    return f"{heading.format(markdown_text(table.title))}\n\n{rows}\n\n{notes}".rstrip()


def csv_table(table: Table) -> str:
    """Return the table as CSV: exact numbers, and notes such as intervals in columns of their own."""
    columns: list[list[str]] = []
    for place, column in enumerate(table.columns):
        entries = [entry_of(row[place]) for row in table.rows]
        columns.append([_safe(column.head), *map(_exact, entries)])
        if any(entry.note for entry in entries):
            head = column.notes or f"{column.head}: note"
            columns.append([_safe(head), *(_safe(entry.note) for entry in entries)])
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(zip(*columns, strict=True))
    return file.getvalue()


def _exact(entry: Entry) -> str:
    """Return the number that an entry shows, unrounded; its text where it is sorted by another unit."""
    if isinstance(entry.value, str) or entry.value is None:
        return _safe(entry.text if entry.text is not None else entry.value)
    if entry.text is None or _shows(entry.text, entry.value):
        return f"{entry.value:.12g}" if math.isfinite(entry.value) else ""
    return _safe(entry.text.replace(",", "") if _NUMBER.fullmatch(entry.text) else entry.text)


def _shows(text: str, value: float) -> bool:
    """Return whether a text is this number, rounded: with marks, as a percentage, or before a word."""
    match = _NUMBER.match(text)
    if match is None or not math.isfinite(value):
        return False
    shown = float(match[1].replace(",", ""))
    meant = 100 * value if match[2] else value
    place = 10.0 ** -len(match[1].partition(".")[2])
    return abs(abs(meant) - shown) <= max(0.51 * place, 0.006 * abs(meant))


def _safe(text: float | str | None) -> str:
    """Return a text that a spreadsheet does not take for a formula: names come from archives."""
    shown = "" if text is None else printable(str(text))
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _shown(entry: Entry) -> str:
    if entry.text is not None:
        return entry.text
    if isinstance(entry.value, str):
        return entry.value
    return _NONE if entry.value is None else number(entry.value).replace(",", "")
