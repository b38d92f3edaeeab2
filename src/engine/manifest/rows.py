"""Rows of a manifest's tables, each value of its column's type: the manifest may come from anybody."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from types import NoneType
from typing import Any, Final

from ...errors import CorruptError
from .guarded import LONGEST_TEXT, GuardedConnection
from .schema import COLUMNS

__all__ = ["checked_rows", "counted_rows"]

_SIGNED: Final = frozenset({"source_mtime_ns"})
_AT_ONCE: Final = 128


def checked_rows(
    db: GuardedConnection,
    table: str,
    columns: Sequence[str],
    rest: str = "",
    values: Sequence[Any] = (),
    *,
    longest: int = LONGEST_TEXT,
    at_once: int = _AT_ONCE,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows of a table in batches; a column that early versions did not write is NULL in each.

    Args:
        db: the manifest.
        table: its name.
        columns: the columns that are read.
        rest: of the statement, such as "WHERE run = ?".
        values: of its placeholders.
        longest: bytes that a text may have.
        at_once: rows that are read at a time.

    Raises:
        DatasetError: they cannot be read, or are more than a file of this size can hold.
        CorruptError: a value is not what its column holds.
    """
    size = 0
    for rows in db.batches(_statement(db, table, columns, rest), values, longest=longest, at_once=at_once):
        size += _check(db, table, columns, rows)
        if size > db.guard.size:
            raise db.too_much()
        yield rows


def counted_rows(
    db: GuardedConnection,
    table: str,
    columns: Sequence[str],
    *,
    longest: int = LONGEST_TEXT,
    at_once: int = _AT_ONCE,
) -> Counter[tuple[Any, ...]]:
    """Count how often each row occurs; takes and raises what `checked_rows` does."""
    counts: Counter[tuple[Any, ...]] = Counter()
    checked = size = 0
    for rows in db.batches(_statement(db, table, columns), longest=longest, at_once=at_once):
        counts.update(rows)
        if len(counts) > checked:
            size += _check(db, table, columns, [*islice(counts, checked, None)])
            checked = len(counts)
        if size > db.guard.size:
            raise db.too_much()
    return counts


def _statement(db: GuardedConnection, table: str, columns: Sequence[str], rest: str = "") -> str:
    have = db.columns[table]
    names = [name if name in have else f"NULL AS {name}" for name in columns]
    return f"SELECT {', '.join(names)} FROM {table} {rest}"  # noqa: S608 - names of this format


def _check(db: GuardedConnection, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> int:
    """Check every value's type and sign; return the bytes of all texts, at least."""
    size = 0
    for name, found in zip(columns, zip(*rows, strict=True), strict=True):
        kind, nullable = COLUMNS[table][name]
        types = {*map(type, found)}
        types -= {NoneType} if nullable else set()
        if not types <= {kind}:
            raise _senseless(db, table, name, next(one for one in found if type(one) is not kind))
        if kind is str:
            size += sum(map(len, filter(None, found)))
        elif name not in _SIGNED and min(filter(None, found), default=0) < 0:
            raise _senseless(db, table, name, min(filter(None, found)))
    return size


def _senseless(db: GuardedConnection, table: str, column: str, value: Any) -> CorruptError:
    return CorruptError(f"{db.path}: the table {table} has {value!r:.60} as {column}, which makes no sense")
