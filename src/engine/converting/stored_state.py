"""What a convert reads from its dataset's manifest. Every value is checked: it may come from anyone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...errors import DatasetError
from ...parser.images.signature import UNREAD_ARCHIVES
from ..datasets.member_records import MemberRecord
from ..documents import parse_document
from ..manifest.guarded import GuardedConnection
from ..records import PARTS_PER_UNIT
from .dataset_sources import holds_record
from .known_keys import KnownKeys
from .planner import Known, PlanState
from .source_table import recorded_sources
from .sources import Recorded, Scope

__all__ = ["StoredState", "Totals", "shard_range"]

_UNREAD = ", ".join("?" * len(UNREAD_ARCHIVES))
_MOST_UNITS = 1 << 40
_MOST_ENTRIES = 1 << 60
_DONE_UNITS = f"""
SELECT unit, MIN(ordinal), MAX(ordinal) FROM (
    SELECT shard / {PARTS_PER_UNIT} AS unit, ordinal FROM samples WHERE shard >= ?2
    UNION ALL SELECT unit, ordinal FROM failures WHERE unit >= ?1
    UNION ALL SELECT unit, ordinal FROM skipped WHERE unit >= ?1
) GROUP BY unit
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Totals:
    """What a dataset holds; `archives` counts skipped entries that could be read as archives."""

    samples: int
    shards: int
    failures: int
    skipped: int
    file_bytes: int
    pixel_bytes: int
    archives: int


class StoredState:
    """Reads where a dataset stands; its methods may be called from any thread.

    Attributes:
        waiting: lost units with members of sources that the run does not list.
        made: numbers of the units that this run has recorded.

    Args:
        db: the manifest.
        lock: held while it is used.
        created: the manifest is new.
    """

    def __init__(self, db: GuardedConnection, lock: threading.RLock, *, created: bool) -> None:
        self._db = db
        self._lock = lock
        self._known = KnownKeys(db, lock)
        self._lost: frozenset[int] = frozenset()
        self._fresh = created or not self._any("shards", "failures", "skipped")
        self.waiting = 0
        self.made: set[int] = set()

    @property
    def fresh(self) -> bool:
        """Whether nothing was recorded when the manifest was opened."""
        return self._fresh

    def settings(self) -> dict[str, str]:
        """Return the table `dataset` as a dict."""
        found = dict(self._rows("SELECT name, value FROM dataset"))
        if not {*map(type, (*found, *found.values()))} <= {str}:
            raise self._senseless("a setting is no text")
        return found

    @property
    def nested(self) -> bool:
        """Whether archives inside archives are read, because a run once asked for it."""
        return self.settings().get("nested") == "yes"

    def look_again(self) -> None:
        """Treat what this run has recorded so far as what was there before it."""
        self._fresh = not self._any("shards", "failures", "skipped")

    @property
    def listed_twice(self) -> bool:
        """Whether archives are listed twice from the start, because one had links or a key twice."""
        return self.settings().get("listed_twice") == "yes"

    def plan_state(self, present: Callable[[str], int | None], listed: Callable[[str], bool]) -> PlanState:
        """Return where the dataset stands.

        Args:
            present: returns the size in bytes of a shard's file by name; None if it is missing.
            listed: returns whether the run lists the source of a key; a lost unit with others stays as it is.
        """
        if self._fresh:
            return PlanState()
        units = "SELECT unit FROM shards UNION SELECT unit FROM failures UNION SELECT unit FROM skipped"
        ordinals = "SELECT MAX(ordinal) FROM {}"
        highest = self._numbers(f"SELECT MAX(unit) FROM ({units})")[0][0]  # noqa: S608
        tops = [self._numbers(ordinals.format(table))[0][0] for table in ("samples", "failures", "skipped")]
        next_unit = 0 if highest is None else highest + 1
        next_ordinal = max((top + 1 for top in tops if top is not None), default=0)
        settings = self.settings()
        try:
            open_unit = int(settings.get("open_unit", next_unit))
            open_ordinal = int(settings.get("open_ordinal", next_ordinal))
        except ValueError as error:
            raise self._senseless("an unfinished run's place is no number") from error
        places = (open_unit, next_unit, open_ordinal, next_ordinal)
        if min(places) < 0 or max(places[:2]) > _MOST_UNITS or max(places[2:]) > _MOST_ENTRIES:
            raise self._senseless(f"no dataset has {next_unit:,} units of {next_ordinal:,} entries")
        done = self._numbers(_DONE_UNITS, open_unit, open_unit * PARTS_PER_UNIT)
        lost = set()
        for unit, name, size in self._rows("SELECT unit, name, file_bytes FROM shards"):
            if not (type(unit) is type(size) is int and (name is None or type(name) is str)):
                raise self._senseless("a shard's row makes no sense")
            if name is not None and present(name) != size:
                lost.add(unit)
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
        """Return whether the run lists the sources of all members of a unit."""
        statement = """SELECT key FROM samples WHERE shard BETWEEN ? AND ?
            UNION ALL SELECT key FROM failures WHERE unit = ?
            UNION ALL SELECT key FROM skipped WHERE unit = ?"""
        keys = self._each(statement, *shard_range(unit), unit, unit)
        return all(type(key) is str and listed(key) for (key,) in keys)

    def _members_of(self, unit: int) -> int:
        statement = """SELECT COUNT(*) FROM (
            SELECT ordinal FROM samples WHERE shard BETWEEN ? AND ?
            UNION SELECT ordinal FROM failures WHERE unit = ?
            UNION SELECT ordinal FROM skipped WHERE unit = ?)"""
        count: int = self._numbers(statement, *shard_range(unit), unit, unit)[0][0]
        return count

    def known(self, key: str) -> Known | None:
        """Return what a worker made of a key; None if nothing is recorded."""
        if self._fresh:
            return None
        return self._known.get(key)

    def source_checksum(self, key: str, kind: str) -> str | None:
        """Return xxh3-64 of the source of what `known` found; None if its bytes were not read."""
        return self._known.checksum(key, kind)

    def is_recorded(self, record: MemberRecord, prefix: str) -> bool:
        """Return whether the dataset holds what another records of a member; `prefix` begins its key here."""
        return holds_record(self._rows, record, prefix)

    def partly_failed(self) -> frozenset[str]:
        """Return the members of which some frames are samples and others failures."""
        failures = self._each("SELECT key, ordinal FROM failures WHERE unit IS NOT NULL")
        members = {(key.rpartition("#")[0], ordinal) for key, ordinal in failures if "#" in str(key)}
        sound = "SELECT 1 FROM samples WHERE key = ? AND ordinal = ?"
        return frozenset(member for member, ordinal in members if self._rows(sound, member, ordinal))

    def place_of(self, key: str) -> tuple[str, int]:
        """Return the member and the unit of a sample by its key."""
        statement = (
            "SELECT COALESCE(member, key), unit FROM samples JOIN shards ON shards.id = shard WHERE key = ?"
        )
        rows = self._rows(statement, key)
        if len(rows) != 1 or type(rows[0][0]) is not str or type(rows[0][1]) is not int:
            raise self._senseless(f"the sample {key!r:.200} belongs to no shard")
        member, unit = rows[0]
        return member, unit

    def has_frames(self, member: str) -> bool:
        """Return whether there are later frames of a member."""
        return bool(self._rows("SELECT 1 FROM samples WHERE member = ? LIMIT 1", member))

    def begins_keys(self, prefix: str) -> bool:
        """Return whether the dataset has keys with this prefix."""
        statement = "SELECT 1 FROM {} WHERE key >= ? AND key < ? LIMIT 1"
        span = _span(prefix)
        tables = ("samples", "failures", "skipped")
        return any(self._rows(statement.format(table), *span) for table in tables)

    def sample_keys(self) -> Iterator[str]:
        """Yield the keys of all samples."""
        for (key,) in self._each("SELECT key FROM samples ORDER BY shard, record"):
            if type(key) is not str:
                raise self._senseless("a key is no text")
            yield key

    def not_met(
        self, kept: Callable[[int], bool], below: int, listed: Callable[[str], bool]
    ) -> tuple[list[str], int]:
        """Return what the listing did not meet: keys of samples that are gone, and the number of others.

        Args:
            kept: returns whether the listing met the entry of an ordinal.
            below: ordinals from here on are this run's own.
            listed: returns whether a key is of a source that the run lists to its end.
        """
        gone, others = [], 0
        for key, ordinal, shard in self._each(
            "SELECT key, ordinal, shard FROM samples WHERE ordinal < ?", below
        ):
            if type(ordinal) is not int or ordinal < 0 or type(key) is not str or type(shard) is not int:
                raise self._senseless("an entry's row makes no sense")
            if kept(ordinal) or shard // PARTS_PER_UNIT in self.made:
                continue
            if listed(key):
                gone.append(key)
            else:
                others += 1
        return gone, others

    def _left_behind(
        self, statement: str, kept: Callable[[int], bool], below: int, listed: Callable[[str], bool]
    ) -> Iterator[Any]:
        """Yield the rest of each row whose key and ordinal a listing of their source did not meet."""
        for name, key, ordinal in self._each(statement, below):
            if type(ordinal) is not int or ordinal < 0 or type(key) is not str:
                raise self._senseless("an entry's row makes no sense")
            if not kept(ordinal) and listed(key):
                yield name

    def samples_below(self, ordinal: int) -> int:
        """Count the samples that come before an ordinal."""
        count: int = self._numbers("SELECT COUNT(*) FROM samples WHERE ordinal < ?", ordinal)[0][0]
        return count

    def recorded(self, scope: Scope) -> int:
        """Count the members of a run's sources that a worker made something of, about."""
        if self._fresh:
            return 0
        if scope.whole:
            counts = ["SELECT COALESCE(SUM(samples), 0) FROM shards"]
            if self.settings().get("frames") == "all":
                counts = ["SELECT COALESCE(SUM(1), 0) FROM samples WHERE frame = 0"]
            counts += [f"SELECT COALESCE(SUM(1), 0) FROM {table}" for table in ("failures", "skipped")]  # noqa: S608
            return sum(self._numbers(count)[0][0] for count in counts)
        counts = [
            f"SELECT COALESCE(SUM(1), 0) FROM {table} WHERE key >= ? AND key < ?"  # noqa: S608
            for table in ("samples", "failures", "skipped")
        ]
        spans = [_span(prefix) for prefix in scope.named if prefix]
        return sum(self._numbers(count, *span)[0][0] for count in counts for span in spans)

    def last_summary(self) -> dict[str, Any]:
        """Return the summary of the last run in which workers had something to do; empty if there is none."""
        if self._fresh:
            return {}
        for (text,) in self._db.long_rows("SELECT summary FROM runs ORDER BY id DESC LIMIT 20"):
            with suppress(ValueError, TypeError):
                summary = parse_document(text)
                if isinstance(summary, dict) and summary.get("members"):
                    return summary
        return {}

    def samples(self) -> int:
        """Count the samples of the dataset."""
        count: int = self._numbers("SELECT COALESCE(SUM(samples), 0) FROM shards")[0][0]
        return count

    def samples_made(self) -> int:
        """Count the samples that this run has recorded and that are there now."""
        shards = self._numbers("SELECT unit, samples FROM shards")
        return sum(samples for unit, samples in shards if unit in self.made)

    def failures_of(self, run: int) -> int:
        """Count the failures that a run has recorded, or met again in its listing."""
        count: int = self._numbers("SELECT COALESCE(SUM(1), 0) FROM failures WHERE run = ?", run)[0][0]
        return count

    def shard_names(self) -> set[str]:
        """Return the names of all recorded shard files."""
        names = {name for (name,) in self._rows("SELECT name FROM shards WHERE name IS NOT NULL")}
        if not {*map(type, names)} <= {str}:
            raise self._senseless("a shard's name is no text")
        return names

    def totals(self) -> Totals:
        """Count what the dataset holds."""
        # COUNT(*) alone would be a single step of sqlite, of unbounded work.
        tables = ("samples", "failures", "skipped")
        counts = [f"(SELECT COALESCE(SUM(1), 0) FROM {table})" for table in tables]  # noqa: S608
        sums = "COALESCE(SUM(1), 0), COALESCE(SUM(file_bytes), 0), COALESCE(SUM(pixel_bytes), 0)"
        statement = f"SELECT {', '.join(counts)}, {sums} FROM shards"  # noqa: S608
        samples, failures, skipped, shards, files, pixels = self._numbers(statement)[0]
        unread = f"SELECT COALESCE(SUM(1), 0) FROM skipped WHERE reason IN ({_UNREAD})"  # noqa: S608
        archives = self._rows(unread, *UNREAD_ARCHIVES)[0][0]  # the reasons that it compares may be long
        return Totals(samples, shards, failures, skipped, files, pixels, archives)

    def sources(self) -> list[Recorded]:
        """Return the sources of the dataset; none if it holds neither samples nor failures."""
        return recorded_sources(self._db.long_rows)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.rows(statement, values)

    def _each(self, statement: str, *values: Any) -> Iterator[Any]:
        """Yield rows one by one, since there may be as many as samples."""
        with self._lock:
            yield from self._db.each(statement, values)

    def _numbers(self, statement: str, *values: Any) -> list[Any]:
        """Return rows of counts and places: NULL or not negative."""
        with self._lock:
            rows = self._db.numbers(statement, values)
        if not all(value is None or (type(value) is int and value >= 0) for row in rows for value in row):
            raise self._senseless("it counts in what is no number")
        return rows

    def _senseless(self, why: str) -> DatasetError:
        return DatasetError(f"{self._db.path} is damaged: {why}")

    def _any(self, *tables: str) -> bool:
        return any(self._rows(f"SELECT 1 FROM {table} LIMIT 1") for table in tables)  # noqa: S608


def _span(prefix: str) -> tuple[str, str]:
    """Return the first text with a prefix, and the first one behind all of those."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)


def shard_range(unit: int) -> tuple[int, int]:
    """Return the first and the last id that a unit's shards can have."""
    return unit * PARTS_PER_UNIT, (unit + 1) * PARTS_PER_UNIT - 1
