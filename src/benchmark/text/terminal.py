"""A table on a terminal: columns are left out before a number is wrapped or cut."""

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from ...engine.printable import printable
from .numbers import listed
from .table import Strip, Table

_GAP = 2
_NARROWEST = 16  # letters that a column of words keeps


def text_table(table: Table, width: int | None = None) -> str:
    """Return the table in aligned columns, in lines of at most `width` letters; None is any number.

    A wider table loses the columns that are to spare, then its words are wrapped, then it loses columns from
    the right; a line says which.
    """
    strips = [strip.printable() for strip in table.strips()]
    shown = _fitting(strips, width)
    widths = _widths(shown, width)
    rows = zip(*(strip.cells for strip in shown), strict=True)
    lines = [_row([strip.head for strip in shown], shown, widths), "-" * _total(widths)]
    lines += [_row(cells, shown, widths) for cells in rows]
    notes = [wrapped(printable(note), width) for note in table.notes]
    if len(shown) < len(strips):
        names = listed([strip.head for strip in strips if strip not in shown], len(strips))
        notes.append(wrapped(f"Not shown in {width} columns: {names}. Markdown and --json have all.", width))
    return "\n".join([wrapped(printable(table.title), width), "", *lines, *notes])


def _fitting(strips: Sequence[Strip], width: int | None) -> list[Strip]:
    """Return the columns that fit: those to spare go first, the highest together, then from the right."""
    shown = list(strips)
    if width is None:
        return shown
    while _total(map(_natural, shown)) > width and (most := max(strip.spare for strip in shown)):
        shown = [strip for strip in shown if strip.spare < most]
    while _total(map(_least, shown)) > width and len(shown) > 2:
        del shown[-1]
    return shown


def _widths(shown: Sequence[Strip], width: int | None) -> list[int]:
    """Return the columns' widths, those of words narrowed where the line would be too long."""
    widths = [_natural(strip) for strip in shown]
    least = [_least(strip) for strip in shown]
    while width is not None and _total(widths) > width and widths != least:
        widest = max(range(len(widths)), key=lambda place: (widths[place] > least[place], widths[place]))
        widths[widest] -= 1
    return widths


def _natural(strip: Strip) -> int:
    return max(map(len, (strip.head, *strip.cells)))


def _least(strip: Strip) -> int:
    """Return the width below which a word or a number would be cut."""
    if strip.numeric:
        return _natural(strip)
    words = (len(word) for text in (strip.head, *strip.cells) for word in text.split())
    return min(_natural(strip), max(_NARROWEST, *words))


def _total(widths: Iterable[int]) -> int:
    return sum(width + _GAP for width in widths) - _GAP


def _row(cells: Sequence[str], shown: Sequence[Strip], widths: Sequence[int]) -> str:
    """Return a row, over several lines where words are wrapped."""
    folded = [wrapped(cell, width).split("\n") for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for texts in zip_longest(*folded, fillvalue=""):
        parts = [
            text.rjust(width) if strip.numeric else text.ljust(width)
            for text, strip, width in zip(texts, shown, widths, strict=True)
        ]
        lines.append((" " * _GAP).join(parts).rstrip())
    return "\n".join(lines)


def wrapped(text: str, width: int | None) -> str:
    """Return a text in lines of at most that many letters; a longer word stays whole."""
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
