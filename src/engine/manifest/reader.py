"""The manifest as readers see it: every row is checked, since the dataset may come from anyone."""

import json
import os
import re
import threading
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CorruptError, DatasetError
from ..protocols.base import Placement, Spec
from .connect import connect_read_only
from .guarded import LONGEST_OF_RUNS, LONGEST_TEXT, GuardedConnection
from .rows import checked_rows, counted_rows
from .shards import Shards

__all__ = ["Catalog", "Entry", "IncompleteShardError", "Places", "ShardInfo"]

_PLAIN_NAME = re.compile(r"[^/\0]+")
_DTYPE = re.compile(r"[<>|=]?[buifc][0-9]{1,2}")
_SHAPE = re.compile(r"\[([0-9]{1,15}(, ?[0-9]{1,15})*)?\]")
_MAX_DIMENSIONS = 32
_SETTINGS = {"protocol", "layout", "mode", "frames"}
_COLUMNS = "key, record, start, length, payload, dtype, shape, xxh3, shard"
_PLACES = "SELECT record, payload, dtype, shape, shard FROM samples WHERE {} ORDER BY record"
_PLACES_AT_ONCE = 4096
_LONGEST_SPEC = 1024  # bytes of a dtype or a shape
_ENTRIES = f"SELECT {_COLUMNS} FROM samples WHERE {{}} ORDER BY record"  # noqa: S608
# Records of a shard count from 0 without gaps unless samples were dropped; without gaps this finds the row.
_ENTRY_AT = f"""SELECT {_COLUMNS} FROM samples WHERE shard = ?1 AND record = ?2
    AND (SELECT MAX(record) FROM samples WHERE shard = ?1) = ?3"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A row of the table `shards`, with those beside it.

    Attributes:
        number: its place among the dataset's shards, from 0; those beside it are not counted.
        id: its id in the manifest.
        first: index of its first sample in the dataset.
        samples: number of its samples, and of those in the shards beside it.
        name: name of its file; None if every sample has its own file, or shards were filled beside it.
        last: id of the last shard beside it; its own if there is none.
    """

    number: int
    id: int
    first: int
    samples: int
    name: str | None
    last: int

    @property
    def alone(self) -> bool:
        """Whether no shard was filled beside it."""
        return self.last == self.id


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table `samples`, its types checked."""

    key: str
    record: int
    placement: Placement
    spec: Spec
    xxh3: str
    shard: int


@dataclass(frozen=True, slots=True)
class Places:
    """Where the arrays of one shard lie, in 8 bytes per sample, or 16 if shapes or dtypes differ.

    Attributes:
        payloads: first byte of each array in the file.
        specs: the spec of each array, or a single one that all share.
        end: one past the last byte of all arrays.
        shards: id of the shard of each array; None if all are in one.
    """

    payloads: Sequence[int]
    specs: list[Spec]
    end: int
    shards: Sequence[int] | None = None


class IncompleteShardError(CorruptError):
    """The manifest does not have as many samples of a shard as it says."""


class Catalog:
    """Looks samples up in a manifest, from any thread and across forks.

    It holds two integers for each shard, and queries everything else when it is needed.

    Attributes:
        folder: the dataset's.
        path: of the manifest.
        settings: the table `dataset`.
        shards: those that hold samples.

    Raises:
        DatasetError: the folder is no dataset, or its manifest is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._specs: dict[tuple[str, str], Spec] = {}
        self._db: GuardedConnection | None
        db = self._db = connect_read_only(folder)
        self._pid = os.getpid()
        self.path = db.path
        try:
            self.settings = db.settings
            self.shards = self._all_shards(db)
            db.commit()
        except BaseException:
            db.close()
            raise

    def _all_shards(self, db: GuardedConnection) -> Shards:
        if not self.settings.keys() >= _SETTINGS:
            raise DatasetError(f"{self.path} does not say how the dataset was made")
        beside = ", beside" if "beside" in db.columns["shards"] else ""
        rows = db.numbers(f"SELECT id, samples{beside} FROM shards WHERE samples > 0 ORDER BY id")  # noqa: S608
        return Shards(self.path, rows, db.guard.most_rows)

    def __len__(self) -> int:
        return self.shards.samples

    def close(self) -> None:
        """Close the manifest."""
        with self._lock:
            if self._db is not None and self._pid == os.getpid():
                self._db.close()
            self._db = None

    def forked(self) -> None:
        """Replace the lock, which a thread of the parent may hold, in a child process."""
        self._lock = threading.Lock()

    def shard(self, number: int) -> ShardInfo:
        """Return a shard by its number.

        Raises:
            CorruptError: its name could lead out of the dataset.
        """
        shards = self.shards
        shard, first = shards.ids[number], shards.starts[number]
        last = shards.last(shard)
        name = self.name_of(shard) if last == shard else None  # of several, each is asked for
        return ShardInfo(number, shard, first, shards.starts[number + 1] - first, name, last)

    def name_of(self, shard: int) -> str | None:
        """Return the name of a shard's file by the shard's id; None if every sample has its own file.

        Raises:
            CorruptError: it could lead out of the dataset.
        """
        rows = self._rows("SELECT name FROM shards WHERE id = ?", shard)
        name = rows[0][0] if rows else ""
        if name is not None and (
            type(name) is not str or not _PLAIN_NAME.fullmatch(name) or name in (".", "..")
        ):
            raise CorruptError(f"{self.path}: no shard can be called {name!r:.200}")
        return name

    def entries(self, shard: ShardInfo) -> list[Entry]:
        """Return a shard's samples in order.

        Raises:
            CorruptError: the shard should have another number of samples, or one makes no sense.
        """
        condition, values = self._among(shard.id)
        rows = self._rows(_ENTRIES.format(condition), *values)
        if len(rows) != shard.samples:
            raise self._incomplete(shard, len(rows))
        return [self._entry(row) for row in rows]

    def entry(self, shard: ShardInfo, place: int) -> Entry:
        """Return one sample by its place in its shard."""
        condition, values = self._among(shard.id)
        rows = self._rows(_ENTRY_AT, shard.id, place, shard.samples - 1) if shard.alone else []
        if not rows:
            entries = _ENTRIES.format(condition)
            last = self._rows(f"{entries} DESC LIMIT 1", *values)
            rows = self._rows(f"{entries} LIMIT 1 OFFSET ?", *values, place)
            if not rows:
                raise self._incomplete(shard, place)
            self._entry(last[0])  # values that are no numbers sort after all numbers
        return self._entry(rows[0])

    def places(self, shard: ShardInfo) -> Places | None:
        """Return where a shard's arrays lie; None if a row is unusual, so that each must be looked up.

        Raises:
            CorruptError: as for `entries`.
        """
        payloads, among = array("q"), array("q")
        condition, values = self._among(shard.id)
        parts: list[list[Spec]] = []  # by batch: one for each array, or one that all share
        end = 0
        for batch in self._batches(
            _PLACES.format(condition), *values, longest=_LONGEST_SPEC, at_once=_PLACES_AT_ONCE
        ):
            records, found, dtypes, shapes, shards = zip(*batch, strict=True)
            if {*map(type, records)} != {int} or (not payloads and records[0] < 0):
                raise CorruptError(f"{self.path}: the records of shard {shard.id} make no sense")
            if {*map(type, found)} != {int} or min(found) < 0 or {*map(type, dtypes + shapes)} != {str}:
                return None
            kinds = set(zip(dtypes, shapes, strict=True))
            if len(kinds) == 1:
                specs = [self._spec(dtypes[0], shapes[0])]
                end = max(end, max(found) + specs[0].nbytes)
            else:
                specs = [self._spec(*kind) for kind in zip(dtypes, shapes, strict=True)]
                ends = (payload + spec.nbytes for payload, spec in zip(found, specs, strict=True))
                end = max(end, *ends)
            if not all(spec.nbytes for spec in specs):
                return None
            payloads.extend(found)
            parts.append(specs)
            if not shard.alone:
                among.extend(shards)
        if len(payloads) != shard.samples:
            raise self._incomplete(shard, len(payloads))
        return Places(payloads, _joined(parts, len(payloads)), end, among or None)

    def find(self, key: str) -> Entry | None:
        """Return the sample with this key, if there is one."""
        if not _can_be_key(key):
            return None
        rows = self._rows(f"SELECT {_COLUMNS} FROM samples WHERE key = ?", key)  # noqa: S608
        return self._entry(rows[0]) if rows else None

    def index_of(self, entry: Entry) -> int:
        """Return a sample's index in the dataset."""
        number = self.shards.number_of(entry.shard)
        condition, values = self._among(self.shards.ids[number])
        before = self._rows(
            f"SELECT COUNT(*) FROM samples WHERE {condition} AND record < ?",  # noqa: S608
            *(*values, entry.record),
        )
        place: int = before[0][0]
        return place + self.shards.starts[number]

    def keys(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yield the keys from one index to another, reading those of a shard at a time."""
        index, stop = start, len(self) if stop is None else stop
        while index < stop:
            number = self.shards.holding(index)
            place = index - self.shards.starts[number]
            count = min(self.shards.starts[number + 1], stop) - index
            condition, values = self._among(self.shards.ids[number])
            keys = self._rows(
                f"SELECT key FROM samples WHERE {condition} ORDER BY record LIMIT ? OFFSET ?",  # noqa: S608
                *(*values, count, place),
            )
            if len(keys) != count or any(type(key) is not str for (key,) in keys):
                raise self._incomplete(self.shard(number), place)
            yield from (key for (key,) in keys)
            index += count

    def colours(self, shard: ShardInfo) -> dict[int, str]:
        """Return the colours of a shard's samples by record, if the number of channels does not tell them."""
        with self._lock:
            if "colours" not in self._connection().columns["samples"]:
                return {}
        condition, values = self._among(shard.id)
        found = f"SELECT record, colours FROM samples WHERE {condition} AND colours IS NOT NULL"  # noqa: S608
        return dict(self._rows(found, *values))

    def orphans(self) -> int:
        """Count samples of shards that are not there."""
        statement = "SELECT COALESCE(SUM(1), 0) FROM samples WHERE shard NOT IN (SELECT id FROM shards)"
        count: int = self._rows(statement)[0][0]
        return count

    def table(
        self,
        name: str,
        columns: Sequence[str],
        rest: str = "",
        *values: Any,
        longest: int = LONGEST_TEXT,
        at_once: int = 128,
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield rows of a table in batches, as `checked_rows` does; those of `runs` may be long."""
        if name == "runs":
            longest, at_once = LONGEST_OF_RUNS, 2
        with self._lock:
            db = self._connection()
        return checked_rows(db, name, columns, rest, values, longest=longest, at_once=at_once)

    def has(self, table: str) -> bool:
        """Return whether the dataset has a table that early versions did not write."""
        with self._lock:
            return table in self._connection().columns

    def counted(
        self, name: str, columns: Sequence[str], *, longest: int = LONGEST_TEXT, at_once: int = 128
    ) -> Counter[tuple[Any, ...]]:
        """Return how often each row of a table occurs, as `counted_rows` does."""
        with self._lock:
            return counted_rows(self._connection(), name, columns, longest=longest, at_once=at_once)

    def spec(self, dtype: str, shape: str) -> Spec:
        """Return the spec of a dtype and a shape of the table `samples`.

        Raises:
            CorruptError: no array has them.
        """
        return self._spec(dtype, shape)

    def _batches(
        self, statement: str, *values: Any, longest: int, at_once: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a reading statement in batches of `at_once`."""
        with self._lock:
            batches = self._connection().batches(statement, values, longest=longest, at_once=at_once)
        while True:
            with self._lock:
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _among(self, shard: int) -> tuple[str, tuple[int, ...]]:
        """Return a condition on the table `samples` for a shard and those beside it, and its values."""
        last = self.shards.last(shard)
        return ("shard = ?", (shard,)) if last == shard else ("shard BETWEEN ? AND ?", (shard, last))

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._connection().rows(statement, values)

    def _connection(self) -> GuardedConnection:
        """Return this process's connection; the lock is held."""
        if self._db is None or self._pid != os.getpid():
            self._db = connect_read_only(self.folder)  # a connection must not cross a fork
            self._db.commit()
            self._pid = os.getpid()
        return self._db

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        key, record, start, length, payload, dtype, shape, xxh3, shard = row
        numbers = (record, start, length, 0 if payload is None else payload, shard)
        texts = (key, dtype, shape, xxh3)
        if not all(type(n) is int and n >= 0 for n in numbers) or not all(type(t) is str for t in texts):
            raise CorruptError(f"{self.path}: a sample's row makes no sense: {row!r:.200}")
        return Entry(key, record, Placement(start, length, payload), self._spec(dtype, shape), xxh3, shard)

    def _spec(self, dtype: str, shape: str) -> Spec:
        return self._specs.get((dtype, shape)) or self._parse_spec(dtype, shape)

    def _incomplete(self, shard: ShardInfo, found: int) -> CorruptError:
        return IncompleteShardError(
            f"shard {shard.id} of {self.folder} has {found} of {shard.samples} samples in the manifest"
        )

    def _parse_spec(self, dtype_name: str, shape_text: str) -> Spec:
        spec = None
        with suppress(TypeError, ValueError):
            # Checked as text first: numpy and json would take, and raise, more than what is ever written.
            if _DTYPE.fullmatch(dtype_name) and _SHAPE.fullmatch(shape_text):
                spec = Spec(np.dtype(dtype_name), tuple(json.loads(shape_text)))
        if spec is None or len(spec.shape) > _MAX_DIMENSIONS or any(length >= 2**48 for length in spec.shape):
            raise CorruptError(
                f"{self.folder}: no array has dtype {dtype_name!r:.50} and shape {shape_text!r:.50}"
            )
        if len(self._specs) < 100_000:
            self._specs[dtype_name, shape_text] = spec
        return spec


def _joined(parts: list[list[Spec]], count: int) -> list[Spec]:
    """Return what each of the arrays is, or one where all are alike; all batches but the last are full."""
    if all(part == parts[0] for part in parts) and len(parts[0]) == 1:
        return parts[0]
    sizes = [*[_PLACES_AT_ONCE] * (len(parts) - 1), count - _PLACES_AT_ONCE * (len(parts) - 1)]
    return [spec for part, size in zip(parts, sizes, strict=True) for spec in (part * size)[:size]]


def _can_be_key(text: str) -> bool:
    """Return whether a manifest could hold a text: not with lone surrogates, nor if it is too long."""
    try:
        return len(text.encode()) <= LONGEST_TEXT
    except UnicodeEncodeError:
        return False
