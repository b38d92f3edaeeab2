"""A table of text: aligned for the terminal, or Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NONE", "Table", "digits", "markdown_table", "text_table"]

NONE = "-"


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
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join([first, *rest]).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [table.title, "", line(table.columns), rule, *map(line, table.rows), *table.notes]
    return "\n".join(lines)


def markdown_table(table: Table) -> str:
    """Return the table as a section of Markdown."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells) + " |"

    rule = "|" + "|".join([" --- "] + [" ---: "] * (len(table.columns) - 1)) + "|"
    rows = "\n".join([line(table.columns), rule, *map(line, table.rows)])
    notes = "\n".join(note.replace("*", "\\*").replace("~", "\\~") + "  " for note in table.notes)
    return f"## {table.title}\n\n{rows}\n\n{notes}"


def digits(value: float) -> str:
    """Return three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
