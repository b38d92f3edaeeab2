"""The manifest as readers see it: checked rows of a dataset that may come from anybody."""

import json
import os
import re
import sqlite3
import sys
import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorruptError, DatasetError
from .protocols.base import Placement, Spec
from .schema import MANIFEST_NAME, connect_read_only

__all__ = ["Catalog", "Entry", "ShardInfo"]

_PLAIN_NAME = re.compile(r"[^/\0]+")
_MAX_DIMENSIONS = 32
_SETTINGS = ("protocol", "layout", "mode", "frames")
_COLUMNS = "key, record, start, length, payload, dtype, shape, xxh3, shard"


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A row of the table `shards`; `name` is None where every sample has a file of its own."""

    id: int
    name: str | None
    file_bytes: int
    samples: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table `samples`, its types checked."""

    key: str
    record: int
    placement: Placement
    spec: Spec
    xxh3: str
    shard: int


class Catalog:
    """Looks samples up in a manifest, from any thread and across forks.

    Raises:
        DatasetError: the folder is no dataset, or its manifest is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._specs: dict[tuple[str, str], Spec] = {}
        self._db: sqlite3.Connection | None = None
        self._pid = 0
        self.settings: dict[str, str] = dict(self._rows("SELECT name, value FROM dataset"))
        if not all(type(self.settings.get(name)) is str for name in _SETTINGS):
            raise DatasetError(f"{folder / MANIFEST_NAME} does not say how the dataset was made")
        self.shards = [
            _shard_info(row)
            for row in self._rows(
                "SELECT id, name, file_bytes, samples FROM shards WHERE samples > 0 ORDER BY id"
            )
        ]
        self._ends = list(accumulate(shard.samples for shard in self.shards))
        self._total = self._ends[-1] if self._ends else 0
        if self._total > sys.maxsize:
            raise CorruptError(f"{folder / MANIFEST_NAME}: no dataset has {self._total} samples")
        self._starts = {s.id: end - s.samples for s, end in zip(self.shards, self._ends, strict=True)}

    def __len__(self) -> int:
        return self._total

    def close(self) -> None:
        """Close the manifest."""
        with self._lock:
            if self._db is not None and self._pid == os.getpid():
                self._db.close()
            self._db = None

    def locate(self, index: int) -> tuple[ShardInfo, int]:
        """Return the shard that holds the sample of this index, from 0, and its place among the shard's."""
        number = bisect_right(self._ends, index)
        shard = self.shards[number]
        return shard, index - (self._ends[number] - shard.samples)

    def first_index(self, shard: int) -> int:
        """Return the index of a shard's first sample.

        Raises:
            CorruptError: no such shard.
        """
        if shard not in self._starts:
            raise CorruptError(f"{self.folder / MANIFEST_NAME}: samples of a shard {shard} that is not there")
        return self._starts[shard]

    def entries(self, shard: int) -> list[Entry]:
        """Return a shard's samples in order."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM samples WHERE shard = ? ORDER BY record", shard)  # noqa: S608
        return [self._entry(row) for row in rows]

    def find(self, key: str) -> Entry | None:
        """Return the sample with this key."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM samples WHERE key = ?", key)  # noqa: S608
        return self._entry(rows[0]) if rows else None

    def keys(self) -> Iterator[str]:
        """Yield all keys in the dataset's order, a shard at a time."""
        for shard in self.shards:
            for (key,) in self._rows("SELECT key FROM samples WHERE shard = ? ORDER BY record", shard.id):
                yield key

    def colours(self, shard: int) -> dict[int, str]:
        """Return what the channels of samples are, by record, where their number does not say it."""
        if not self._rows("SELECT 1 FROM pragma_table_info('samples') WHERE name = 'colours'"):
            return {}
        found = "SELECT record, colours FROM samples WHERE shard = ? AND colours IS NOT NULL"
        return dict(self._rows(found, shard))

    def query(self, statement: str, *values: Any) -> list[Any]:
        """Return the rows of a statement that reads."""
        return self._rows(statement, *values)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            if self._db is None or self._pid != os.getpid():
                self._db = connect_read_only(self.folder)  # a connection must not cross a fork
                self._pid = os.getpid()
            try:
                return self._db.execute(statement, values).fetchall()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise DatasetError(f"{self.folder / MANIFEST_NAME} cannot be read: {error}") from error

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        key, record, start, length, payload, dtype, shape, xxh3, shard = row
        numbers = (record, start, length, 0 if payload is None else payload, shard)
        texts = (key, dtype, shape, xxh3)
        if not all(type(n) is int and n >= 0 for n in numbers) or not all(type(t) is str for t in texts):
            raise CorruptError(f"{self.folder / MANIFEST_NAME}: a sample's row makes no sense: {row!r:.200}")
        spec = self._specs.get((dtype, shape)) or self._parse_spec(dtype, shape)
        return Entry(key, record, Placement(start, length, payload), spec, xxh3, shard)

    def _parse_spec(self, dtype_name: str, shape_text: str) -> Spec:
        try:
            dtype = np.dtype(dtype_name)
            shape = json.loads(shape_text)
            good = (
                dtype.kind in "buifc"
                and isinstance(shape, list)
                and len(shape) <= _MAX_DIMENSIONS
                and all(type(length) is int and 0 <= length < 2**48 for length in shape)
            )
        except (TypeError, ValueError):
            good = False
        if not good:
            raise CorruptError(
                f"{self.folder}: no array has dtype {dtype_name!r:.50} and shape {shape_text!r:.50}"
            )
        spec = Spec(dtype, tuple(shape))
        if len(self._specs) < 100_000:
            self._specs[dtype_name, shape_text] = spec
        return spec


def _shard_info(row: tuple[Any, ...]) -> ShardInfo:
    shard = ShardInfo(*row)
    name = shard.name
    if not all(type(n) is int and n >= 0 for n in (shard.id, shard.file_bytes, shard.samples)) or not (
        name is None or (type(name) is str and _PLAIN_NAME.fullmatch(name) and name not in (".", ".."))
    ):
        raise CorruptError(f"{MANIFEST_NAME}: a shard's row makes no sense: {row!r:.200}")
    return shard
