"""The manifest as the one converting process writes it: index and ledger of a dataset."""

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import DatasetError, StorageError
from .known import KnownKeys
from .planner import Known, Note, PlanState
from .records import PARTS_PER_UNIT, Failure, Sample, Skipped, Source, UnitResult, shard_id
from .schema import FORMAT, MANIFEST_NAME, SCHEMA, add_what_is_missing, check_files, check_schema
from .source_table import begin_listing, end_listing, recorded_sources
from .sources import Named, Recorded

__all__ = ["Manifest", "Totals"]

_READERS_SECONDS = 60  # that others may be reading the manifest while it is to be written
_INSERT_SAMPLE = (
    f"INSERT OR IGNORE INTO samples ({', '.join(Sample._fields)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(Sample._fields))})"
)
_INSERT_FAILURE = "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_SKIPPED = "INSERT INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DONE_UNITS = f"""
SELECT unit, MIN(ordinal), MAX(ordinal) FROM (
    SELECT shard / {PARTS_PER_UNIT} AS unit, ordinal FROM samples WHERE shard >= :shard
    UNION ALL SELECT unit, ordinal FROM failures WHERE unit >= :unit
    UNION ALL SELECT unit, ordinal FROM skipped WHERE unit >= :unit
) GROUP BY unit
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Totals:
    """What a dataset holds."""

    samples: int
    shards: int
    failures: int
    skipped: int
    file_bytes: int
    pixel_bytes: int


class Manifest:
    """An open manifest; its methods may be called from any thread.

    Attributes:
        run: number of the run.
        waiting: lost units that have members of sources that the run does not list.

    Args:
        folder: the dataset's folder.
        settings: the table `dataset` of a new manifest, which comes into being together with it.
        fsync: make every commit durable.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], *, fsync: bool) -> None:
        self._path = folder / MANIFEST_NAME
        self._lock = threading.RLock()
        if self._path.exists():
            check_files(self._path)
        try:
            self._db = sqlite3.connect(
                self._path, check_same_thread=False, isolation_level=None, timeout=_READERS_SECONDS
            )
            self._db.execute("PRAGMA trusted_schema = OFF")
            self._db.execute(f"PRAGMA synchronous = {'EXTRA' if fsync else 'OFF'}")
            created = not self._db.execute("SELECT 1 FROM sqlite_master").fetchone()
            if created:
                with self._transaction():
                    for statement in SCHEMA.split(";"):
                        self._db.execute(statement)
                    first = {"format": FORMAT, **settings}
                    self._db.executemany("INSERT INTO dataset VALUES (?, ?)", first.items())
            else:
                check_schema(self._db, self._path)
                add_what_is_missing(self._db)
        except sqlite3.DatabaseError as error:
            raise _storage_error(self._path, error) from error
        self.run = self._started_ns = self.waiting = 0
        self._known = KnownKeys(self._db, self._lock)
        self._lost: frozenset[int] = frozenset()
        self._fresh = created or not self._any("shards", "failures", "skipped")

    @property
    def fresh(self) -> bool:
        """Whether nothing was recorded when the manifest was opened."""
        return self._fresh

    def close(self) -> None:
        """Close the file; sqlite leaves nothing beside it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    if self._db.in_transaction:  # sqlite has ended it where the disk failed
                        self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise _storage_error(self._path, error) from error

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return list(self._each(statement, *values))

    def _each(self, statement: str, *values: Any) -> Iterator[Any]:
        """Yield rows one by one: there may be as many as samples."""
        named = values[0] if values and isinstance(values[0], dict) else values
        with self._lock:
            try:
                yield from self._db.execute(statement, named)
            except sqlite3.Error as error:
                raise DatasetError(f"{self._path} cannot be read: {error}") from error

    def _any(self, *tables: str) -> bool:
        return any(self._rows(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)  # noqa: S608

    # Settings

    def settings(self) -> dict[str, str]:
        """Return the table `dataset` as a dict."""
        return dict(self._rows("SELECT name, value FROM dataset"))

    def put_settings(self, values: Mapping[str, Any]) -> None:
        """Store values in the table `dataset`."""
        with self._transaction():
            rows = [(name, str(value)) for name, value in values.items()]
            self._db.executemany("INSERT OR REPLACE INTO dataset VALUES (?, ?)", rows)

    # Planning

    def plan_state(self, present: Callable[[str], int | None], listed: Callable[[str], bool]) -> PlanState:
        """Return where the dataset stands.

        Args:
            present: gives the size in bytes of a shard's file by its name, None where there is none.
            listed: whether the run lists the source of a key; a lost unit with others stays as it is.
        """
        if self._fresh:
            return PlanState()
        units = "SELECT unit FROM shards UNION SELECT unit FROM failures UNION SELECT unit FROM skipped"
        ordinals = "SELECT MAX(ordinal) FROM {}"
        highest = self._rows(f"SELECT MAX(unit) FROM ({units})")[0][0]  # noqa: S608
        tops = [self._rows(ordinals.format(table))[0][0] for table in ("samples", "failures", "skipped")]
        next_unit = 0 if highest is None else highest + 1
        next_ordinal = max((top + 1 for top in tops if top is not None), default=0)
        settings = self.settings()
        open_unit = int(settings.get("open_unit", next_unit))
        open_ordinal = int(settings.get("open_ordinal", next_ordinal))
        done = self._rows(_DONE_UNITS, {"unit": open_unit, "shard": open_unit * PARTS_PER_UNIT})
        lost = {
            unit
            for unit, name, size in self._rows("SELECT unit, name, file_bytes FROM shards")
            if name is not None and present(name) != size
        }
        self.waiting = len(lost)
        lost = {unit for unit in lost if self._is_listed(unit, listed)}
        self.waiting -= len(lost)
        self._lost = frozenset(lost)
        return PlanState(
            open_unit=open_unit,
            open_ordinal=open_ordinal,
            next_unit=next_unit,
            next_ordinal=next_ordinal,
            done_units={unit: (first, last) for unit, first, last in done},
            lost_units={unit: self._members_of(unit) for unit in lost},
        )

    def _is_listed(self, unit: int, listed: Callable[[str], bool]) -> bool:
        """Whether the run lists the sources of all members of a unit."""
        statement = """SELECT key FROM samples WHERE shard BETWEEN ? AND ?
            UNION ALL SELECT key FROM failures WHERE unit = ?
            UNION ALL SELECT key FROM skipped WHERE unit = ?"""
        return all(listed(key) for (key,) in self._each(statement, *_shard_range(unit), unit, unit))

    def _members_of(self, unit: int) -> int:
        statement = """SELECT COUNT(*) FROM (
            SELECT ordinal FROM samples WHERE shard BETWEEN ? AND ?
            UNION SELECT ordinal FROM failures WHERE unit = ?
            UNION SELECT ordinal FROM skipped WHERE unit = ?)"""
        count: int = self._rows(statement, *_shard_range(unit), unit, unit)[0][0]
        return count

    def known(self, key: str) -> Known | None:
        """Return what a worker made of the key, None where there is nothing."""
        if self._fresh:
            return None
        return self._known.get(key)

    def place_of(self, key: str) -> tuple[str, int]:
        """Return the member and the unit of a sample by its key."""
        statement = (
            "SELECT COALESCE(member, key), unit FROM samples JOIN shards ON shards.id = shard WHERE key = ?"
        )
        member, unit = self._rows(statement, key)[0]
        return member, unit

    def begins_keys(self, prefix: str) -> bool:
        """Whether the dataset has keys that begin like this."""
        statement = "SELECT 1 FROM {} WHERE key >= ? AND key < ? LIMIT 1"
        span = prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)
        tables = ("samples", "failures", "skipped")
        return any(self._rows(statement.format(table), *span) for table in tables)

    def begin_generation(self, unit: int, ordinal: int) -> None:
        """Remember where the units and ordinals of this pass begin, until a run ends it."""
        self.put_settings({"open_unit": unit, "open_ordinal": ordinal})

    # Recording

    def commit(self, results: Sequence[UnitResult], notes: Sequence[Note]) -> list[str]:
        """Record finished units and what the listing noted, in one transaction.

        Returns:
            Keys whose samples are gone without another in their place.
        """
        vanished: list[str] = []
        with self._transaction():
            self._known.forget()
            for result in results:
                vanished += self._replace(result)
            for note in notes:
                self._note(note)
        return vanished

    def _replace(self, result: UnitResult) -> list[str]:
        unit = result.number
        before = [] if self._fresh else self._remove(result)
        self._db.executemany(
            "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (shard_id(unit, s.part), unit, s.part, s.name, s.file_bytes, s.pixel_bytes, s.samples)
                for s in result.shards
            ],
        )
        count = self._db.total_changes
        self._db.executemany(_INSERT_SAMPLE, result.rows)
        if self._db.total_changes - count != len(result.rows):
            self._record_twins(result)
        self._db.executemany(_INSERT_FAILURE, [_failure_row(unit, f, self.run) for f in result.failures])
        self._db.executemany(_INSERT_SKIPPED, [_skipped_row(unit, s, self.run) for s in result.skipped])
        now = {sample.key for sample in result.samples} if before else set()
        gone = [(key, ordinal) for key, ordinal in before if key not in now]
        if unit in self._lost:
            told = {failure.key for failure in result.failures} | {skipped.key for skipped in result.skipped}
            self._record_lost(unit, [row for row in gone if row[0] not in told])
        return [key for key, _ in gone]

    def _remove(self, result: UnitResult) -> list[tuple[str, int]]:
        """Delete what the result replaces: the unit's earlier records, and older ones of the same keys."""
        unit, shards = result.number, _shard_range(result.number)
        before = self._rows("SELECT key, ordinal FROM samples WHERE shard BETWEEN ? AND ?", *shards)
        self._db.execute("DELETE FROM samples WHERE shard BETWEEN ? AND ?", shards)
        for table in ("shards", "failures", "skipped"):
            self._db.execute(f"DELETE FROM {table} WHERE unit = ?", (unit,))  # noqa: S608
        members = dict.fromkeys(s.member or s.key for s in result.samples)
        outcomes: list[Failure | Skipped] = [*result.failures, *result.skipped]
        members |= dict.fromkeys(outcome.key for outcome in outcomes)
        for key in members:
            for condition in ("key = ? AND frame = 0", "member = ?"):
                before += self._remove_samples(condition, key)
            for table in ("failures", "skipped"):
                self._db.execute(f"DELETE FROM {table} WHERE key = ? AND unit IS NOT NULL", (key,))  # noqa: S608
        return before

    def _remove_samples(self, condition: str, key: str) -> list[tuple[str, int]]:
        """Delete samples, and count what is left in their shards."""
        rows = self._rows(f"SELECT key, ordinal, shard FROM samples WHERE {condition}", key)  # noqa: S608
        if rows:
            self._db.execute(f"DELETE FROM samples WHERE {condition}", (key,))  # noqa: S608
        self._recount(shard for _, _, shard in rows)
        return [(key, ordinal) for key, ordinal, _ in rows]

    def _recount(self, shards: Iterable[int]) -> None:
        self._db.executemany(
            "UPDATE shards SET samples = (SELECT COUNT(*) FROM samples WHERE shard = shards.id) WHERE id = ?",
            [(shard,) for shard in dict.fromkeys(shards)],
        )

    def _record_twins(self, result: UnitResult) -> None:
        """Record as failures the samples whose keys other members hold: a frame's key can be a name."""
        message = "another sample has the same key; the first one is kept"
        for sample in result.samples:
            place = self._rows("SELECT shard, record FROM samples WHERE key = ?", sample.key)
            if place != [(sample.shard, sample.record)]:
                source = Source(sample.source_size, sample.source_mtime_ns, sample.source_xxh3)
                failure = Failure(sample.key, sample.ordinal, "write", "DuplicateKey", message, source)
                self._db.execute(_INSERT_FAILURE, _failure_row(result.number, failure, self.run))
        self._recount(shard_id(result.number, shard.part) for shard in result.shards)

    def _record_lost(self, unit: int, rows: Iterable[tuple[str, int]]) -> None:
        message = "its shard is missing or damaged, and the archive no longer holds it"
        self._db.executemany(
            _INSERT_FAILURE,
            [
                (key, unit, ordinal, "read", "SourceGone", message, 0, 0, None, self.run)
                for key, ordinal in rows
            ],
        )

    def _note(self, note: Note) -> None:
        """Record what the listing found, or that it found it again."""
        table, column, value = (
            ("failures", "error", note.error)
            if isinstance(note, Failure)
            else ("skipped", "reason", note.reason)
        )
        changed = self._db.execute(
            f"UPDATE {table} SET run = ? WHERE key = ? AND unit IS NULL AND {column} = ?",  # noqa: S608
            (self.run, note.key, value),
        )
        if changed.rowcount:
            return
        if isinstance(note, Failure):
            self._db.execute(_INSERT_FAILURE, _failure_row(None, note, self.run))
        else:
            self._db.execute(_INSERT_SKIPPED, _skipped_row(None, note, self.run))

    # Ending a run

    def gone(self, kept: Callable[[int], bool], below: int, listed: Callable[[str], bool]) -> list[str]:
        """Return the keys of samples that the archive no longer holds.

        Args:
            kept: whether the listing met the entry with this ordinal.
            below: ordinals from here on are this run's own.
            listed: whether the run lists the source of a key.
        """
        rows = self._each("SELECT key, ordinal FROM samples WHERE ordinal < ?", below)
        return [key for key, ordinal in rows if not kept(ordinal) and listed(key)]

    def samples_below(self, ordinal: int) -> int:
        """Count the samples that come before an ordinal."""
        count: int = self._rows("SELECT COUNT(*) FROM samples WHERE ordinal < ?", ordinal)[0][0]
        return count

    def prune(
        self, keys: Iterable[str], kept: Callable[[int], bool], below: int, listed: Callable[[str], bool]
    ) -> None:
        """Delete these samples, and what failed or was skipped and is gone too."""
        with self._transaction():
            for key in keys:
                self._remove_samples("key = ?", key)
            for table in ("failures", "skipped"):
                rows = self._each(
                    f"SELECT rowid, ordinal, key FROM {table} WHERE unit IS NOT NULL AND ordinal < ?",  # noqa: S608
                    below,
                )
                dead = [(row,) for row, ordinal, key in rows if not kept(ordinal) and listed(key)]
                self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", dead)  # noqa: S608

    def forget_old_notes(self, listed: Callable[[str], bool]) -> None:
        """Delete what earlier listings noted of these keys and this complete one did not."""
        with self._transaction():
            for table in ("failures", "skipped"):
                old = f"SELECT rowid, key FROM {table} WHERE unit IS NULL AND run <> ?"  # noqa: S608
                dead = [(row,) for row, key in self._each(old, self.run) if listed(key)]
                self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", dead)  # noqa: S608

    def drop_empty_shards(self) -> list[str]:
        """Delete shards without samples; return the names of their files."""
        empty = self._rows("SELECT id, name FROM shards WHERE samples = 0")
        if empty:
            with self._transaction():
                self._db.executemany("DELETE FROM shards WHERE id = ?", [(row,) for row, _ in empty])
        return [name for _, name in empty if name is not None]

    def shard_names(self) -> set[str]:
        """Return the names of all recorded shard files."""
        return {name for (name,) in self._rows("SELECT name FROM shards WHERE name IS NOT NULL")}

    def totals(self) -> Totals:
        """Count what the dataset holds."""
        samples = self._rows("SELECT COUNT(*) FROM samples")[0][0]
        shards, files, pixels = self._rows(
            "SELECT COUNT(*), COALESCE(SUM(file_bytes), 0), COALESCE(SUM(pixel_bytes), 0) FROM shards"
        )[0]
        failures = self._rows("SELECT COUNT(*) FROM failures")[0][0]
        skipped = self._rows("SELECT COUNT(*) FROM skipped")[0][0]
        return Totals(samples, shards, failures, skipped, files, pixels)

    # Runs

    def sources(self) -> list[Recorded]:
        """Return what the dataset was made from; nothing where it holds neither samples nor failures."""
        return recorded_sources(self._rows)

    def begin_run(
        self,
        started_ns: int,
        workers: int,
        backend: str,
        settings: Mapping[str, Any],
        named: Sequence[Named],
        recorded: Sequence[Recorded],
    ) -> None:
        """Record that a convert begins; what it notes and fails carries its number.

        Args:
            started_ns: when, in ns since the epoch.
            workers: processes or threads.
            backend: "loky" or "threading".
            settings: the run's.
            named: its sources.
            recorded: the dataset's sources before.
        """
        started = datetime.fromtimestamp(started_ns / 1e9, UTC).isoformat(timespec="seconds")
        with self._transaction():
            row = self._db.execute(
                "INSERT INTO runs (command, started, outcome, workers, backend, settings)"
                " VALUES ('convert', ?, 'running', ?, ?, ?)",
                (started, workers, backend, json.dumps(settings, sort_keys=True)),
            )
            assert row.lastrowid is not None
            self.run, self._started_ns = row.lastrowid, started_ns
            begin_listing(self._db, named, recorded, started_ns)

    def end_run(
        self,
        outcome: str,
        wall_ns: int,
        summary: Mapping[str, Any],
        timeline: Iterable[Sequence[Any]],
        listed: Sequence[Named] = (),
    ) -> None:
        """Record how the run ended, what it used, and its timeline; a finished one ends its generation.

        Args:
            outcome: "finished", "interrupted" or "failed".
            wall_ns: how long it took.
            summary: what it used.
            timeline: rows of the table `timeline`, without the run's number.
            listed: the sources that it listed to their end.
        """
        with self._transaction():
            if outcome == "finished":
                self._db.execute("DELETE FROM dataset WHERE name IN ('open_unit', 'open_ordinal')")
                end_listing(self._db, listed, self._started_ns)
            self._db.execute(
                "UPDATE runs SET outcome = ?, wall_ns = ?, summary = ? WHERE id = ?",
                (outcome, wall_ns, json.dumps(summary, sort_keys=True), self.run),
            )
            self._db.executemany(
                f"INSERT OR REPLACE INTO timeline VALUES ({', '.join('?' * 15)})",  # noqa: S608
                [(self.run, *row) for row in timeline],
            )


def _shard_range(unit: int) -> tuple[int, int]:
    return unit * PARTS_PER_UNIT, (unit + 1) * PARTS_PER_UNIT - 1


def _failure_row(unit: int | None, failure: Failure, run: int) -> tuple[Any, ...]:
    source = failure.source
    told = (failure.stage, failure.error, failure.message)
    return (failure.key, unit, failure.ordinal, *told, source.size, source.mtime_ns, source.xxh3, run)


def _skipped_row(unit: int | None, skipped: Skipped, run: int) -> tuple[Any, ...]:
    source = skipped.source
    told = (skipped.key, unit, skipped.ordinal, skipped.reason)
    return (*told, source.size, source.mtime_ns, source.xxh3, run)


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError | DatasetError:
    if isinstance(error, sqlite3.OperationalError) or not isinstance(error, sqlite3.DatabaseError):
        return StorageError(f"cannot write {os.fspath(path)}: {error}")
    return DatasetError(f"{os.fspath(path)} is damaged: {error}")
