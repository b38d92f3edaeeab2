"""A table, said once, and how the terminal and Markdown show it; `report.html.table` shows it on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...engine.printable import printable
from .markdown import markdown_line, markdown_text
from .numbers import percent, plain

_NONE = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """A column."""

    head: str  # its name, with the unit
    numeric: bool = True  # aligned right and sorted by value
    hint: str | None = None  # what it is, in words
    notes: str | None = None  # head of the column that a text makes of its numbers' notes; None: pages only
    page: bool = False  # for pages alone, where there is room


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in a row under a column."""

    text: str | None  # as it is read; None shows the number
    value: float | str | None = None  # what it is sorted by; None is last
    note: str | None = None  # in smaller type below, such as an interval
    kind: str | None = None  # how it is marked: "good", "bad", "best" or nothing


Value: TypeAlias = Entry | str | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column names the row."""

    title: str  # what it shows
    columns: Sequence[Column]  # what stands in a row
    rows: Sequence[Sequence[Value]]  # as many values each; None is not known
    notes: Sequence[str] = ()  # what its marks mean

    def texts(self) -> list[list[str]]:
        """Return the heads and the rows as a text shows them."""
        found: list[list[str]] = [[]]
        for column in self.columns:
            if not column.page:
                found[0] += [column.head, *([column.notes] if column.notes else [])]
        for row in self.rows:
            line = []
            for column, value in zip(self.columns, row, strict=True):
                entry = value if isinstance(value, Entry) else Entry(None, value)
                if not column.page:
                    line.append(_shown(entry))
                    if column.notes:
                        line.append(entry.note if entry.note and entry.value is not None else _NONE)
            found.append(line)
        return found

    @property
    def numeric(self) -> list[bool]:
        """Which columns of a text are aligned right."""
        shown = [column for column in self.columns if not column.page]
        return [one for column in shown for one in (column.numeric, *([True] if column.notes else []))]


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


def text_table(table: Table) -> str:
    """Return the table in aligned columns."""
    head, *body = [list(map(printable, row)) for row in table.texts()]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = zip(row, widths, table.numeric, strict=True)
        return "  ".join(
            text.rjust(width) if right else text.ljust(width) for text, width, right in cells
        ).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    notes = map(printable, table.notes)
    return "\n".join([printable(table.title), "", line(head), rule, *map(line, body), *notes])


def markdown_table(table: Table, *, heading: str = "## {}") -> str:
    """Return the table in Markdown under its title; whatever stands in it is shown as it is."""
    head, *body = table.texts()

    def line(row: Sequence[str]) -> str:
        return f"| {' | '.join(map(markdown_text, row))} |"

    rule = f"| {' | '.join('---:' if right else '---' for right in table.numeric)} |"
    rows = "\n".join([line(head), rule, *map(line, body)])
    notes = "\n".join(f"{markdown_line(note)}  " for note in table.notes)
    return f"{heading.format(markdown_text(table.title))}\n\n{rows}\n\n{notes}".rstrip()


def _shown(entry: Entry) -> str:
    if entry.text is not None:
        return entry.text
    if isinstance(entry.value, str):
        return entry.value
    return _NONE if entry.value is None else number(entry.value).replace(",", "")
