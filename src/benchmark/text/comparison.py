"""A comparison as text for the terminal and as Markdown for a pull request."""

from collections.abc import Sequence
from itertools import groupby

from ...engine.printable import printable
from ..compare.compare import CellChange, CellName, Comparison, Side
from .table import Table, markdown_line, markdown_list, markdown_rows, markdown_text, text_table

__all__ = ["comparison_markdown", "comparison_text", "summary"]

_COLUMNS = (
    "protocol",
    "workers",
    "A images/s",
    "B images/s",
    "time B/A",
    "95 % interval",
    "machine",
    "verdict",
)
_GROUP_COLUMNS = ("protocol", "op", "cells", "time B/A", "lowest", "highest")
_OTHER_WORK = "~ the runs measured prefixes of the corpus whose lengths differ by more than a fifth."
_LISTED = 12


def summary(comparison: Comparison) -> str:
    """Return the outcome in a sentence."""
    if comparison.differences:
        items = "; ".join(f"{one.item}: {one.a} in A, {one.b} in B" for one in comparison.differences)
        return f"Not comparable, they differ in {items}."
    cells, counts = comparison.cells, comparison.counts
    if not cells:
        why = "all that they share are void" if comparison.excluded else "the results have none in common"
        return f"Nothing could be decided: no cell to compare, {why}."
    if counts["inconclusive"] == len(cells):
        return f"Nothing could be decided: {_all(len(cells))} inconclusive. {_most_frequent(cells)}"
    rest = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("faster", "same", "inconclusive"))
    if not counts["regressed"]:
        return f"Nothing regressed in {_cells(len(cells))}: {rest}."
    worst = max(
        (change for change in cells if change.verdict == "regressed"), key=lambda one: one.ratio.value
    )
    return (
        f"{counts['regressed']} of {_cells(len(cells))} regressed, {rest}; "
        f"worst: {worst.name} takes {_ratio(worst.ratio.value)} times as long."
    )


def comparison_text(comparison: Comparison) -> str:
    """Return the summary and the tables for a terminal."""
    parts = [printable(summary(comparison)), "\n".join(map(printable, _sides(comparison)))]
    parts += [text_table(table) for table in _tables(comparison.cells)]
    if comparison.groups:
        parts.append(text_table(_group_table(comparison)))
    parts += [
        "\n".join([f"{title}:", *(f"  {printable(line)}" for line in lines)])
        for title, lines in _left(comparison)
    ]
    return "\n\n".join(parts)


def comparison_markdown(comparison: Comparison) -> str:
    """Return Markdown for a pull request: what changed or is open in sight, what is the same folded away."""
    parts = ["### brinery compare", f"**{markdown_text(summary(comparison))}**"]
    parts.append(markdown_list(_sides(comparison)))
    if comparison.differences:
        rows = tuple((one.item, one.a, one.b) for one in comparison.differences)
        parts.append(_markdown(Table("Differences", ("item", "A", "B"), rows)))
    shown = [change for change in comparison.cells if change.verdict in ("regressed", "faster")]
    parts += [_markdown(table) for table in _tables(shown)]
    for verdict in ("inconclusive", "same"):
        folded = [change for change in comparison.cells if change.verdict == verdict]
        if folded:
            tables = "\n\n".join(_markdown(table) for table in _tables(folded))
            parts.append(_details(f"{len(folded)} {verdict}", tables))
    if comparison.groups:
        parts.append(_details("By protocol and operation", _markdown(_group_table(comparison))))
    for title, lines in _left(comparison):
        parts.append(_details(title, markdown_list(lines)))
    return "\n\n".join(parts) + "\n"


def _tables(changes: Sequence[CellChange]) -> list[Table]:
    """Return a table for each layout, cache, durability and operation."""
    tables = []
    order = sorted(changes, key=lambda change: _table_key(change.name))
    for _, found in groupby(order, key=lambda change: _table_key(change.name)):
        own = sorted(found, key=lambda change: (change.name.workers, change.name.pool == "loky"))
        protocols = list(dict.fromkeys(change.name.protocol for change in changes))
        own.sort(key=lambda change: protocols.index(change.name.protocol))
        name = own[0].name
        title = ", ".join(
            [
                name.op,
                "one file an image" if name.layout == "single" else "over workers",
                *([f"{name.cache} cache"] if name.op != "dump" else []),
                *([name.durability] if name.op in ("dump", "convert") else []),
                *(["dispatched"] if name.dispatch == "engine" and name.op != "convert" else []),
            ]
        )
        notes = (_OTHER_WORK,) if any(change.other_work for change in own) else ()
        tables.append(Table(title, _COLUMNS, tuple(_row(change) for change in own), notes))
    return tables


def _table_key(name: CellName) -> tuple[str, ...]:
    where = "single" if name.layout == "single" else "workers"
    return (where, name.op, name.cache, name.durability, name.dispatch)


def _row(change: CellChange) -> tuple[str, ...]:
    ratio = change.ratio
    known = ratio.low is not None and ratio.high is not None
    return (
        change.name.protocol,
        "inline" if change.name.pool == "none" else str(change.name.workers),
        _rate(change.a_ns),
        _rate(change.b_ns),
        ("~" if change.other_work else "") + _ratio(ratio.value),
        f"{ratio.low:.3f}..{ratio.high:.3f}" if known else "-",
        "-" if change.machine is None else f"{change.machine:.0%}",
        change.verdict,
    )


def _group_table(comparison: Comparison) -> Table:
    rows = tuple(
        (
            group.protocol,
            group.op,
            str(group.cells),
            _ratio(group.ratio),
            _ratio(group.lowest),
            _ratio(group.highest),
        )
        for group in comparison.groups
    )
    return Table("By protocol and operation: geometric mean", _GROUP_COLUMNS, rows)


def _sides(comparison: Comparison) -> list[str]:
    floor = "not known" if comparison.floor is None else f"{comparison.floor:.1%}"
    how = "measured in turns in one session" if comparison.paired else "between two runs"
    least = f"noise floor {floor}, the least change called is 3 %"
    if not comparison.paired:
        least += "; machine: by how much the ceilings may have changed"
    return [
        _side("A", comparison.a),
        _side("B", comparison.b),
        f"Ratios of time {how}, above 1 is slower; {least}.",
    ]


def _side(letter: str, side: Side) -> str:
    commit = f" at {side.commit[:12]}" if side.commit else ""
    return f"{letter}: {side.name}, brinery {side.brinery}{commit}, {side.started_at}"


def _left(comparison: Comparison) -> list[tuple[str, list[str]]]:
    """Return what was not compared."""
    found = [
        ("Void, not compared", [f"{one.name}: {one.reason}" for one in comparison.excluded]),
        ("Only in A", [str(name) for name in comparison.only_a]),
        ("Only in B", [str(name) for name in comparison.only_b]),
    ]
    return [
        (title, lines[:_LISTED] + ([f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []))
        for title, lines in found
        if lines
    ]


def _most_frequent(cells: Sequence[CellChange]) -> str:
    reasons = [change.reason or "" for change in cells]
    reason = max(dict.fromkeys(reasons), key=reasons.count)
    hint = ": measure with --rounds 7" if reason.startswith("fewer than") else ""
    return f"{reason[:1].upper()}{reason[1:]}{hint}."


def _all(count: int) -> str:
    return "the one cell is" if count == 1 else f"all {count} cells are"


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _ratio(value: float) -> str:
    return f"{value:.3f}"


def _rate(time_ns: float) -> str:
    """Images/s with three significant digits or more, without an exponent."""
    rate = 1e9 / time_ns
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{markdown_text(title)}</summary>\n\n{body}\n\n</details>"


def _markdown(table: Table) -> str:
    notes = "".join(f"\n\n{markdown_line(note)}" for note in table.notes)
    return f"**{markdown_text(table.title)}**\n\n{markdown_rows(table)}{notes}"
