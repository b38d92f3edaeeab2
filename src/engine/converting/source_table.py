"""The manifest's table of sources, and its replacement in datasets of early versions."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Any, Final

from ...errors import DatasetError, UsageError
from ...parser.archives.names import checked_encoding, key_of_name, shown_path
from ..documents import parse_document
from .sources import Named, Recorded

__all__ = ["begin_listing", "end_listing", "recorded_sources"]

_SECOND: Final = 1_000_000_000
_SELECT = (
    "SELECT path, kind, prefix, encoding, size, mtime_ns, ctime_ns, inode, listed_ns FROM sources ORDER BY id"
)
_INSERT = """
INSERT INTO sources (path, kind, prefix, encoding, size, mtime_ns, ctime_ns, inode, listed_ns)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MOVE = "UPDATE sources SET path = ?, kind = ? WHERE prefix = ?"
_SETTLE = """
UPDATE sources SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, listed_ns = ? WHERE prefix = ?
"""
_LAST_RUN = "SELECT started, settings FROM runs ORDER BY outcome = 'finished' DESC, id DESC LIMIT 1"
_UNKNOWN: Final = (None, None, None, None)


def recorded_sources(rows: Callable[[str], list[Any]]) -> list[Recorded]:
    """Return the sources of a dataset that holds samples or failures, in the order they were added.

    Args:
        rows: returns the rows of a statement.

    Raises:
        DatasetError: a row makes no sense.
    """
    if not any(rows(f"SELECT 1 FROM {table} LIMIT 1") for table in ("samples", "failures")):  # noqa: S608
        return []
    return [_record(row) for row in rows(_SELECT)] or _early_sources(rows)


def _record(row: tuple[Any, ...]) -> Recorded:
    path, kind, prefix, encoding, *numbers, listed_ns = row
    texts = (path, kind, prefix, "" if encoding is None else encoding)
    sound = all(type(text) is str for text in texts) and all(type(n) in {int, NoneType} for n in numbers)
    sound = sound and "\0" not in path
    if sound and encoding is not None:
        sound = False
        with suppress(UsageError, ValueError):
            sound = checked_encoding(encoding) == encoding
    if not sound:
        raise DatasetError(f"the table sources makes no sense: {row!r:.200}")
    size, mtime_ns, ctime_ns, inode = numbers
    state = None if inode is None else (size, mtime_ns, ctime_ns, inode)
    return Recorded(path, kind, prefix, encoding, state, listed_ns if type(listed_ns) is int else 0)


def begin_listing(
    db: sqlite3.Connection, named: Sequence[Named], recorded: Sequence[Recorded], started_ns: int
) -> None:
    """Record the sources of a run that begins; the state of a changed one is unknown until the run ends."""
    if not recorded:
        db.execute("DELETE FROM sources")
    have = {prefix for (prefix,) in db.execute("SELECT prefix FROM sources")}
    for early in recorded:
        if early.prefix not in have:
            _insert(db, early)
    for one in named:
        source, record = one.source, one.record
        path = shown_path(source.given)
        if record is None:
            since = started_ns - one.clock_ns
            _insert(db, Recorded(path, source.kind, source.prefix, source.encoding, one.state, since))
            continue
        db.execute(_MOVE, (path, source.kind, source.prefix))
        if record.state not in {None, one.state}:
            db.execute(_SETTLE, (*_UNKNOWN, 0, source.prefix))


def end_listing(db: sqlite3.Connection, named: Sequence[Named], started_ns: int) -> None:
    """Record that the sources were listed to their end, and their state when the listing began."""
    db.executemany(_SETTLE, [(*one.state, started_ns - one.clock_ns, one.source.prefix) for one in named])


def _insert(db: sqlite3.Connection, record: Recorded) -> None:
    about = (record.path, record.kind, record.prefix, record.encoding)
    db.execute(_INSERT, (*about, *(record.state or _UNKNOWN), record.listed_ns))


def _early_sources(rows: Callable[[str], list[Any]]) -> list[Recorded]:
    """Return the sources of the last run of an early version: the last run that ended, if any did.

    Those versions put base names before the keys of several sources. Of two with the same name the second
    lost its images, so it does not count as a source of the dataset.
    """
    started, settings = next(iter(rows(_LAST_RUN)), ("", "{}"))
    listed_ns = 0
    with suppress(ValueError, TypeError, OverflowError):
        listed_ns = int(datetime.fromisoformat(started).timestamp()) * _SECOND - 2 * _SECOND
    paths: list[str] = []
    with suppress(ValueError, AttributeError, TypeError):
        paths = [path for path in parse_document(settings).get("sources", []) if isinstance(path, str)]
    found: dict[str, Recorded] = {}
    for path in paths:
        full = os.path.abspath(path)  # noqa: PTH100 - as Source.given
        prefix = f"{key_of_name(Path(full).name or 'root')}/" if len(paths) > 1 else ""
        found.setdefault(prefix, Recorded(shown_path(full), "", prefix, None, None, listed_ns))
    return list(found.values())
