"""What the manifest holds for a key, read ahead where keys are asked for in the order they were recorded."""

import threading
from collections.abc import Sequence
from typing import Any

from ..errors import DatasetError
from .guarded import GuardedConnection
from .planner import Known
from .records import PARTS_PER_UNIT

__all__ = ["KnownKeys"]

_AHEAD = 1024  # rows read at once: a row of them costs a tenth of a lookup
_NEAR = 16  # records further on still count as the next: later frames of a member have none of their own

_SAMPLE = """
SELECT shard, record, ordinal, source_size, source_mtime_ns FROM samples WHERE key = ? AND frame = 0
"""
_FOLLOWING = """
SELECT key, shard, record, ordinal, source_size, source_mtime_ns, frame
    FROM samples WHERE (shard, record) > (?, ?) ORDER BY shard, record LIMIT ?
"""
_OTHER = """
SELECT unit, ordinal, source_size, source_mtime_ns FROM {} WHERE key = ? AND unit IS NOT NULL LIMIT 1
"""
_OTHERS = {"failure": _OTHER.format("failures"), "skipped": _OTHER.format("skipped")}


class KnownKeys:
    """Looks up what a worker made of a key.

    Args:
        db: the manifest.
        lock: held while it is used.
    """

    def __init__(self, db: GuardedConnection, lock: threading.RLock) -> None:
        self._db = db
        self._lock = lock
        self._ahead: dict[str, tuple[int, ...]] = {}
        self._last = (-1, -1)

    def get(self, key: str) -> Known | None:
        """Return the record of a key, None where there is none."""
        with self._lock:
            row = self._ahead.pop(key, None) or self._look_up(key)
            if row is not None:
                shard, record, ordinal, size, mtime_ns = row
                self._last = (shard, record)
                return Known("sample", ordinal, shard // PARTS_PER_UNIT, size, mtime_ns)
            for kind, statement in _OTHERS.items():
                for unit, ordinal, size, mtime_ns in self._rows(statement, key):
                    return Known(kind, ordinal, unit, size, mtime_ns)
        return None

    def forget(self) -> None:
        """Drop what was read ahead, for it is about to change."""
        with self._lock:
            self._ahead.clear()

    def _look_up(self, key: str) -> tuple[int, ...] | None:
        row = next(iter(self._rows(_SAMPLE, key)), None)
        if row is not None and self._follows(*row[:2]):
            following = self._db.rows(_FOLLOWING, (*row[:2], _AHEAD))
            self._ahead = {key: self._checked(rest) for key, *rest, frame in following if frame == 0}
        return row

    def _rows(self, statement: str, key: str) -> list[tuple[int, ...]]:
        return [self._checked(row) for row in self._db.rows(statement, (key,))]

    def _checked(self, row: Sequence[Any]) -> tuple[int, ...]:
        """Return a row as it is where it holds numbers: shard or unit, places, size and time of change."""
        if not all(type(value) is int for value in row) or min(row[:-1]) < 0:
            raise DatasetError(f"{self._db.path} is damaged: an entry's row makes no sense")
        return tuple(row)

    def _follows(self, shard: int, record: int) -> bool:
        """Whether a row is one of the next after the last one found."""
        last_shard, last_record = self._last
        if shard == last_shard:
            return 0 < record - last_record <= _NEAR
        return shard > last_shard and record < _NEAR
