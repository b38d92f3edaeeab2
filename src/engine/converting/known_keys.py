"""Looks up what the manifest holds for a key, reading ahead if keys come in the order they were recorded."""

import threading
from itertools import chain, compress
from types import NoneType
from typing import Any

from ...errors import DatasetError
from ..manifest.guarded import GuardedConnection
from ..records import PARTS_PER_UNIT
from .planner import Known

__all__ = ["KnownKeys", "no_frame"]

_AHEAD = 1024  # rows read at once: each costs a tenth of a lookup
_NUMBERS, _NUMBERS_OR_NULL = {int}, {int, NoneType}
_NEAR = 16  # records further on count as the next one too: later frames of a member are not looked up

_SAMPLE = """
SELECT shard, record, ordinal, source_size, source_mtime_ns, source_crc32
    FROM samples WHERE key = ? AND frame = 0
"""
_FOLLOWING = """
SELECT key, shard, record, ordinal, source_size, source_mtime_ns, source_crc32, frame
    FROM samples WHERE (shard, record) > (?, ?) ORDER BY shard, record LIMIT ?
"""
_NO_FRAME = """
    AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.key = ? AND samples.ordinal = failures.ordinal)
    AND NOT EXISTS (SELECT 1 FROM samples WHERE samples.member = ? AND samples.ordinal = failures.ordinal)
"""
"""A condition on the table `failures`: no lost frame of the image of that key, given twice.

A frame's failure has the key `image#N`, which can be the name of another member.
"""
_OTHER = "SELECT unit, ordinal, source_size, source_mtime_ns, NULL FROM {} WHERE key = ? AND unit IS NOT NULL"
_CHECKSUM = "SELECT source_xxh3 FROM {} WHERE key = ? AND unit IS NOT NULL"


class KnownKeys:
    """Looks up what a worker made of a key.

    Args:
        db: the manifest.
        lock: held while it is used.
    """

    def __init__(self, db: GuardedConnection, lock: threading.RLock) -> None:
        self._db = db
        self._lock = lock
        self._ahead: dict[str, tuple[Any, ...]] = {}
        self._last = (-1, -1)

    def get(self, key: str) -> Known | None:
        """Return the record of a key; None if it has none."""
        with self._lock:
            row = self._ahead.pop(key, None) or self._look_up(key)
            if row is not None:
                shard, record, ordinal, size, mtime_ns, crc32 = row
                self._last = (shard, record)
                return Known("sample", ordinal, shard // PARTS_PER_UNIT, size, mtime_ns, crc32)
            for kind in ("failure", "skipped"):
                for unit, ordinal, size, mtime_ns, _ in self._checked(self._others(_OTHER, kind, key)):
                    return Known(kind, ordinal, unit, size, mtime_ns)
        return None

    def checksum(self, key: str, kind: str) -> str | None:
        """Return xxh3-64 of a recorded key's source; None if its bytes were not read."""
        with self._lock:
            if kind == "sample":
                statement = "SELECT source_xxh3 FROM samples WHERE key = ? AND frame = 0"
                rows = self._db.rows(statement, (key,))
            else:
                rows = self._others(_CHECKSUM, kind, key)
        return rows[0][0] if rows and type(rows[0][0]) is str else None

    def forget(self) -> None:
        """Drop what was read ahead, since it is about to change."""
        with self._lock:
            self._ahead.clear()

    def _look_up(self, key: str) -> tuple[Any, ...] | None:
        row = next(iter(self._checked(self._db.rows(_SAMPLE, (key,)))), None)
        if row is not None and self._follows(*row[:2]):
            following = self._db.rows(_FOLLOWING, (*row[:2], _AHEAD))
            if following:
                keys, *columns, frames = zip(*following, strict=True)
                self._check(columns)
                first_frames = [frame == 0 for frame in frames]
                rows = zip(*columns, strict=True)
                self._ahead = dict(compress(zip(keys, rows, strict=True), first_frames))
        return row

    def _checked(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if rows:
            self._check([*zip(*rows, strict=True)])
        return rows

    def _others(self, statement: str, kind: str, key: str) -> list[tuple[Any, ...]]:
        """Return the first row of a key in `failures` or `skipped`, frames of another image aside."""
        if kind == "skipped":
            return self._db.rows(f"{statement.format(kind)} LIMIT 1", (key,))
        condition, values = no_frame(key)
        return self._db.rows(f"{statement.format('failures')}{condition} LIMIT 1", (key, *values))

    def _check(self, columns: list[tuple[Any, ...]]) -> None:
        """Check that shard or unit, places, size, time and CRC-32 are numbers."""
        *numbers, crc32s = columns
        kinds = {*map(type, chain.from_iterable(numbers))}
        sound = kinds == _NUMBERS and {*map(type, crc32s)} <= _NUMBERS_OR_NULL
        if not sound or min(map(min, numbers[:-1])) < 0:
            raise DatasetError(f"{self._db.path} is damaged: an entry's row makes no sense")

    def _follows(self, shard: int, record: int) -> bool:
        """Return whether a row comes soon after the last one found."""
        last_shard, last_record = self._last
        if shard == last_shard:
            return 0 < record - last_record <= _NEAR
        return shard > last_shard and record < _NEAR


def no_frame(key: str) -> tuple[str, tuple[str, ...]]:
    """Return a condition on `failures` that leaves out frames of another image, and its values."""
    image, mark, number = key.rpartition("#")
    return (_NO_FRAME, (image, image)) if mark and number.isdecimal() else ("", ())
