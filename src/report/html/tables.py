"""Tables of values that are read as text and sorted as numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Content, Markup, tag
from .numbers import plain

__all__ = ["Cell", "Column", "DataTable", "Value", "table_html"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        head: its name, with the unit.
        numeric: aligned right and sorted by value.
        hint: what it is, in words.
    """

    head: str
    numeric: bool = True
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell.

    Attributes:
        text: as it is read.
        value: what it is sorted by; None is last.
        note: in smaller type below, such as an interval.
        kind: how it is marked: "good", "bad", "best" or nothing.
        bar: length of the bar behind it, 0 to 1.
    """

    text: Content
    value: float | str | None = None
    note: str | None = None
    kind: str | None = None
    bar: float | None = None


Value = Cell | str | float | None


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table; the first column names the row.

    Attributes:
        title: what it shows.
        columns: the heads.
        rows: as many values each.
        notes: what its marks mean.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Sequence[Value], ...]
    notes: tuple[str, ...] = ()


def table_html(table: DataTable, *, caption: bool = False) -> Markup:
    """Return a table; the page's script makes its heads buttons that sort."""
    heads = [
        tag("th", column.head, scope="col", class_=None if column.numeric else "text", title=column.hint)
        for column in table.columns
    ]
    body = [
        tag("tr", [_cell(value, table.columns[place], place) for place, value in enumerate(row)])
        for row in table.rows
    ]
    inner = tag(
        "table",
        tag("caption", table.title, class_=None if caption else "unseen"),
        tag("thead", tag("tr", heads)),
        tag("tbody", body),
        data_sortable=len(table.rows) > 1,
    )
    scroller = tag("div", inner, class_="scroller", tabindex="0", role="region", aria_label=table.title)
    notes = [tag("p", note, class_="note") for note in table.notes]
    return scroller + tag("div", notes, class_="notes") if notes else scroller


def _cell(value: Value, column: Column, place: int) -> Markup:
    cell = value if isinstance(value, Cell) else _plain_cell(value)
    classes = [name for name in (None if column.numeric else "text", cell.kind) if name]
    number = cell.value
    if isinstance(number, float) and not math.isfinite(number):
        number = None
    text: Content = cell.text
    if cell.note is not None:
        text = [text, tag("small", cell.note)]
    style = (
        None
        if cell.bar is None or not math.isfinite(cell.bar)
        else f"--bar:{min(1.0, max(0.0, cell.bar)):.3f}"
    )
    return tag(
        "th" if place == 0 else "td",
        text,
        class_=" ".join(classes + (["bar"] if style else [])) or None,
        data_sort=None
        if number is None or _reads_as(cell.text, number)
        else f"{number:.6g}"
        if isinstance(number, float)
        else str(number),
        style=style,
    )


def _reads_as(text: Content, number: float | str) -> bool:
    """Tell whether a cell's text alone sorts as its value does."""
    if isinstance(number, str):
        return text == number
    try:
        return isinstance(text, str) and math.isclose(float(text.replace(",", "")), number, rel_tol=1e-2)
    except ValueError:
        return False


def _plain_cell(value: str | float | None) -> Cell:
    if isinstance(value, str):
        return Cell(value)
    return Cell(plain(value), value)
