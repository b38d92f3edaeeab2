"""The manifest as the one converting process writes it: index and ledger of a dataset."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import DatasetError, StorageError
from ...parser.images.signature import READ_ARCHIVE
from ..manifest.connect import connect_to_write, storage_error
from ..manifest.schema import FORMAT, MANIFEST_NAME, SCHEMA, missing
from ..records import Failure, Sample, Shard, Skipped, Source, UnitResult, shard_id
from .dataset_sources import is_export
from .known_keys import no_frame
from .planner import Note, PlanState
from .source_table import begin_listing, end_listing
from .sources import Named, Recorded
from .stored_state import StoredState, shard_range

__all__ = ["Manifest"]

_READERS_SECONDS = 60  # how long readers may keep this process from writing
_INSERT_SAMPLE = (
    f"INSERT OR IGNORE INTO samples ({', '.join(Sample._fields)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(Sample._fields))})"
)
_INSERT_FAILURE = "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_SKIPPED = "INSERT INTO skipped VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Manifest(StoredState):
    """An open manifest; its methods may be called from any thread.

    Attributes:
        run: number of the run.

    Args:
        folder: the dataset's folder.
        settings: the table `dataset` of a new manifest, which comes into being together with it.
        fsync: make every commit durable.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], *, fsync: bool) -> None:
        self._path = folder / MANIFEST_NAME
        self._lock = threading.RLock()
        try:
            self._db = connect_to_write(self._path, timeout=_READERS_SECONDS)
        except sqlite3.DatabaseError as error:
            raise storage_error(self._path, error) from error
        try:
            created = self._prepare(settings, fsync=fsync)
            super().__init__(self._db, self._lock, created=created)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise self._failed(error) from error
        except BaseException:
            self._db.close()
            raise
        self.run = self._started_ns = 0

    def _prepare(self, settings: Mapping[str, str], *, fsync: bool) -> bool:
        """Make the tables of a new manifest, or what an early one lacks; return whether it is new."""
        db, created = self._db, not self._db.columns
        db.execute(f"PRAGMA synchronous = {'EXTRA' if fsync else 'OFF'}")
        if created:
            db.set_progress_handler(None, 0)  # its rows are this run's own: nothing is to bound
            with self._transaction():
                for statement in SCHEMA.split(";"):
                    db.execute(statement)
                first = {"format": FORMAT, **settings}
                db.executemany("INSERT INTO dataset VALUES (?, ?)", first.items())
        else:
            for statement in missing(db.columns):
                db.execute(statement)
        db.restrict(writing=True)
        return created

    @property
    def locks(self) -> bool:
        """Whether sqlite's locks keep readers and this writer apart: the file system has them."""
        return self._db.locks

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
                raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StorageError | DatasetError:
        return self._db.unreadable(error) if self._db.guard.overrun else storage_error(self._path, error)

    # Settings

    def put_settings(self, values: Mapping[str, Any]) -> None:
        """Store values in the table `dataset`."""
        with self._transaction():
            rows = [(name, str(value)) for name, value in values.items()]
            self._db.executemany("INSERT OR REPLACE INTO dataset VALUES (?, ?)", rows)

    # Planning

    def begin_generation(self, unit: int, ordinal: int) -> None:
        """Remember where the units and ordinals of this pass begin, until a run ends it."""
        self.put_settings({"open_unit": unit, "open_ordinal": ordinal})

    def begin_linking(self, state: PlanState, keys: Iterable[str]) -> list[str]:
        """Begin the generation of link targets, and of the last of several entries with one key.

        From here on archives are listed twice from the start, by this run and all that follow.

        Args:
            state: where it begins.
            keys: those of several entries each; records of the first ones are deleted.

        Returns:
            Keys whose samples are gone.
        """
        gone: list[tuple[str, int]] = []
        with self._transaction():
            self._known.forget()
            for key in keys:
                for condition in ("key = ? AND frame = 0", "member = ?"):
                    gone += self._remove_samples(condition, key)
                for table in ("failures", "skipped"):
                    self._db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608
            now = {"listed_twice": "yes", "open_unit": state.open_unit, "open_ordinal": state.open_ordinal}
            rows = [(name, str(value)) for name, value in now.items()]
            self._db.executemany("INSERT OR REPLACE INTO dataset VALUES (?, ?)", rows)
        return [key for key, _ in gone]

    # Recording

    def commit(self, results: Sequence[UnitResult], notes: Sequence[Note]) -> list[str]:
        """Record finished units and what the listing noted, in one transaction.

        Returns:
            Keys whose samples are gone and were not replaced.
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
        self.made.add(unit)
        before = [] if self._fresh else self._remove(result)
        self._db.executemany(
            "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_shard_row(unit, shard) for shard in result.shards],
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
        unit, shards = result.number, shard_range(result.number)
        before = self._rows("SELECT key, ordinal FROM samples WHERE shard BETWEEN ? AND ?", *shards)
        self._db.execute("DELETE FROM samples WHERE shard BETWEEN ? AND ?", shards)
        for table in ("shards", "failures", "skipped"):
            self._db.execute(f"DELETE FROM {table} WHERE unit = ?", (unit,))  # noqa: S608
        members = dict.fromkeys(s.member or s.key for s in result.samples)
        outcomes: list[Failure | Skipped] = [*result.failures, *result.skipped]
        members |= dict.fromkeys(outcome.key for outcome in outcomes)
        for key in members:
            removed = self._remove_samples("key = ? AND frame = 0", key)
            removed += self._remove_samples("member = ?", key)
            self._remove_lost_frames(key, {ordinal for _, ordinal in removed})
            before += removed
            condition, values = no_frame(key)
            failures = f"DELETE FROM failures WHERE key = ? AND unit IS NOT NULL{condition}"  # noqa: S608
            self._db.execute(failures, (key, *values))
            self._db.execute("DELETE FROM skipped WHERE key = ? AND unit IS NOT NULL", (key,))
        return before

    def _remove_samples(self, condition: str, key: str) -> list[tuple[str, int]]:
        """Delete samples, and count what is left in their shards."""
        rows = self._rows(f"SELECT key, ordinal, shard FROM samples WHERE {condition}", key)  # noqa: S608
        if rows:
            self._db.execute(f"DELETE FROM samples WHERE {condition}", (key,))  # noqa: S608
        self._recount(shard for _, _, shard in rows)
        return [(key, ordinal) for key, ordinal, _ in rows]

    def _remove_lost_frames(self, member: str, ordinals: Iterable[int]) -> None:
        """Delete failures of a member's frames, which have its ordinal and `member#N` for a key."""
        self._db.executemany(
            "DELETE FROM failures WHERE key > ? AND key < ? AND ordinal = ?",
            [(f"{member}#", f"{member}$", ordinal) for ordinal in ordinals],  # '$' follows '#'
        )

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
        """Record what the listing found, or mark it as found again."""
        if isinstance(note, Skipped) and note.reason == READ_ARCHIVE:  # its members are here in its place
            self._db.execute("DELETE FROM skipped WHERE key = ?", (note.key,))
            return
        table, columns, values = (
            ("failures", "error = ? AND message", (note.error, note.message))
            if isinstance(note, Failure)
            else ("skipped", "reason", (note.reason,))
        )
        changed = self._db.execute(
            f"UPDATE {table} SET run = ? WHERE key = ? AND unit IS NULL AND {columns} = ?",  # noqa: S608
            (self.run, note.key, *values),
        )
        if changed.rowcount:
            return
        if isinstance(note, Failure):
            self._db.execute(_INSERT_FAILURE, _failure_row(None, note, self.run))
        else:
            self._db.execute(_INSERT_SKIPPED, _skipped_row(None, note, self.run))

    # Ending a run

    def prune(
        self, keys: Iterable[str], kept: Callable[[int], bool], below: int, listed: Callable[[str], bool]
    ) -> None:
        """Delete these samples, and failures and skipped entries that are gone too."""
        with self._transaction():
            for key in keys:
                self._remove_samples("key = ?", key)
            for table in ("failures", "skipped"):
                statement = f"SELECT rowid, key, ordinal FROM {table} WHERE unit IS NOT NULL AND ordinal < ?"  # noqa: S608
                dead = [(row,) for row in self._left_behind(statement, kept, below, listed)]
                self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", dead)  # noqa: S608

    def mend(self) -> None:
        """Delete samples of shards that are not there, and count those of the others anew."""
        with self._transaction():
            self._db.execute("DELETE FROM samples WHERE shard NOT IN (SELECT id FROM shards)")
            counted = "(SELECT COALESCE(SUM(1), 0) FROM samples WHERE shard = shards.id)"
            wrong = self._rows(f"SELECT id FROM shards WHERE samples <> {counted}")  # noqa: S608
            self._recount(row for (row,) in wrong)

    def forget_old_notes(self, listed: Callable[[str], bool]) -> None:
        """Delete notes of earlier listings on these keys that this complete listing did not make again."""
        with self._transaction():
            for table in ("failures", "skipped"):
                old = f"SELECT rowid, key FROM {table} WHERE unit IS NULL AND run <> ?"  # noqa: S608
                dead = [(row,) for row, key in self._each(old, self.run) if type(key) is str and listed(key)]
                self._db.executemany(f"DELETE FROM {table} WHERE rowid = ?", dead)  # noqa: S608

    def drop_empty_shards(self) -> list[str]:
        """Delete shards without samples; return the names of their files."""
        empty = self._rows("SELECT id, name FROM shards WHERE samples = 0")
        if empty:
            with self._transaction():
                self._db.executemany("DELETE FROM shards WHERE id = ?", [(row,) for row, _ in empty])
        return [name for _, name in empty if type(name) is str]

    # Runs

    def begin_run(
        self,
        started_ns: int,
        workers: int,
        backend: str,
        settings: Mapping[str, Any],
        named: Sequence[Named],
        recorded: Sequence[Recorded],
    ) -> None:
        """Record that a convert or an export begins; what it notes and fails carries its number.

        Args:
            started_ns: when, in ns since the epoch.
            workers: processes or threads.
            backend: "loky" or "threading".
            settings: the run's.
            named: its sources.
            recorded: the dataset's sources before.
        """
        started = datetime.fromtimestamp(started_ns / 1e9, UTC).isoformat(timespec="seconds")
        command = "export" if is_export([one.source for one in named]) else "convert"
        with self._transaction(), self._db.long_texts():
            row = self._db.execute(
                "INSERT INTO runs (command, started, outcome, workers, backend, settings)"
                " VALUES (?, ?, 'running', ?, ?, ?)",
                (command, started, workers, backend, json.dumps(settings, sort_keys=True)),
            )
            assert row.lastrowid is not None
            self.run, self._started_ns = row.lastrowid, started_ns
            begin_listing(self._db, named, recorded, started_ns)

    def put_backend(self, backend: str) -> None:
        """Record the backend of this run if it is not the one that was asked for."""
        with self._transaction():
            self._db.execute("UPDATE runs SET backend = ? WHERE id = ?", (backend, self.run))

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
        with self._transaction(), self._db.long_texts():
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


def _shard_row(unit: int, shard: Shard) -> tuple[Any, ...]:
    beside = None if shard.beside is None else shard_id(unit, shard.beside)
    sizes = (shard.file_bytes, shard.pixel_bytes, shard.samples)
    return (shard_id(unit, shard.part), unit, shard.part, shard.name, *sizes, beside)


def _failure_row(unit: int | None, failure: Failure, run: int) -> tuple[Any, ...]:
    source = failure.source
    told = (failure.stage, failure.error, failure.message)
    return (failure.key, unit, failure.ordinal, *told, source.size, source.mtime_ns, source.xxh3, run)


def _skipped_row(unit: int | None, skipped: Skipped, run: int) -> tuple[Any, ...]:
    source = skipped.source
    told = (skipped.key, unit, skipped.ordinal, skipped.reason)
    return (*told, source.size, source.mtime_ns, source.xxh3, run)
