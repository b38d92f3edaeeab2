"""A table on a page: read as text, sorted as numbers."""

import math

from markupsafe import Markup

from ...benchmark.text.numbers import DASH
from ...benchmark.text.table import Column, Table, Value, entry_of, number
from .markup import join, remark, scroller, tag


def folded(title: str, table: Table) -> Markup:
    """Return a table that a click unfolds."""
    return tag("details", tag("summary", title), table_html(table, title=False), class_="behind")


def table_html(table: Table, *, title: bool = True) -> Markup:
    """Return a table, its title in sight or not; the page's script makes its heads buttons that sort."""
    heads = [
        tag("th", column.head, scope="col", class_=None if column.numeric else "text", title=column.hint)
        for column in table.columns
    ]
    words = not any(column.numeric for column in table.columns)
    rows = []
    for row in table.rows:
        first, *others = zip(row, table.columns, strict=True)
        named = words and len(others) > 1
        cells = [_cell(value, column, "td", column.head if named else None) for value, column in others]
        rows.append(tag("tr", _cell(*first, "th"), cells))
    inner = tag(
        "table",
        tag("caption", table.title, class_="unseen"),
        tag("thead", tag("tr", heads)),
        tag("tbody", rows),
        data_sortable=len(table.rows) > 1,
        class_="words" if words else None,  # on a phone each row is a list, its cells named
    )
    head = tag("h3", table.title) if title else None
    below = tag("div", map(remark, table.notes), class_="notes") if table.notes else None
    return join([head, scroller(table.title, "region", inner), below])


def _cell(value: Value, column: Column, name: str, label: str | None = None) -> Markup:
    entry = entry_of(value)
    key, text = entry.value, entry.text
    if text is None:
        text = DASH if key is None else key if isinstance(key, str) else number(key)
        key = key if entry.note else None  # the text alone sorts as the number does
    if isinstance(key, float):
        key = f"{key:.6g}" if math.isfinite(key) else None
    note = None if entry.note is None else tag("small", entry.note)
    classes = " ".join(filter(None, (None if column.numeric else "text", entry.kind)))
    key = None if key == text else key
    return tag(name, text, note, class_=classes or None, data_sort=key, data_label=label)
