"""A manifest's connection: whatever the file says, no statement does more than reading it takes.

sqlite keeps within a file's bounds and is not harmed by a damaged one, but it follows what the file says:
pages that are shared make billions of rows of 70 KB, values that are shared make gigabytes. So statements
here use the tables of the format alone, and what they may cost is bounded by the size of the file.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final

from ...errors import CorruptError, DatasetError
from .held_file import HeldFile
from .schema import COLUMNS

__all__ = ["LONGEST_OF_RUNS", "LONGEST_TEXT", "TICK", "Guard", "GuardedConnection"]

LONGEST_TEXT: Final = 1 << 18
"""Bytes of a text in the manifest; those of the table `runs` may be longer."""
LONGEST_OF_RUNS: Final = 1 << 24
"""Bytes of a text in the table `runs`."""

_LEAST_ROW: Final = 16  # bytes that a row takes at least
_SOME_ROWS: Final = 64
_AT_ONCE: Final = 128  # rows
_LONG_AT_ONCE: Final = 2
_NUMBERS_AT_ONCE: Final = 1 << 24
_LONGEST_NUMBER: Final = 64
TICK: Final = 10_000
"""Steps of sqlite's machine, some ns each, between two looks at what a statement costs."""

_SOME_STEPS: Final = 1_000_000
_STEPS_A_BYTE: Final = 2  # reading a row takes some ten, and it has 40 bytes or more
_SOME_SECONDS: Final = 5.0
_BYTES_A_SECOND: Final = 10e6
_WRITERS_STEPS: Final = 30_000_000  # a transaction of many small changes is one statement
_WRITERS_SECONDS: Final = 60.0

_TEXTS: Final = frozenset({str, bytes})
_OK: Final = sqlite3.SQLITE_OK
_DENY: Final = sqlite3.SQLITE_DENY
_READ: Final = sqlite3.SQLITE_READ
_FUNCTION: Final = sqlite3.SQLITE_FUNCTION
_TABLES: Final = frozenset({*COLUMNS, "sqlite_master", "sqlite_schema"})
_FUNCTIONS: Final = frozenset({"coalesce", "count", "max", "min", "sum"})
_STEPS: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION})
_CHANGES: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})


class Guard:
    """Counts what a statement costs, and ends it if that is more than the file's size allows.

    Attributes:
        size: of the file, in bytes.
        overrun: a statement was ended.
    """

    def __init__(self, path: Path, size: int, *, writing: bool) -> None:
        self._path = path
        self.size = size
        self._some_steps = _WRITERS_STEPS if writing else _SOME_STEPS
        self._some_seconds = _WRITERS_SECONDS if writing else _SOME_SECONDS
        self._begin: float | None = None
        self._steps = 0
        self.overrun = False

    @property
    def most_rows(self) -> int:
        """How many rows a table can have at most."""
        return _SOME_ROWS + self.size // _LEAST_ROW

    def start(self) -> None:
        """Begin to count anew: a statement is about to run."""
        self._steps = 0
        self._begin = None
        self.overrun = False

    def tick(self) -> bool:
        """Return whether the statement is to be ended; sqlite asks every `TICK` steps."""
        now = time.thread_time()  # CPU time: a slow disk is no reason to end
        if self._begin is None:
            self._begin = now
        self._steps += TICK
        if self._over(now - self._begin):
            self.look_again()
            self.overrun = self._over(now - self._begin)
        return self.overrun

    def look_again(self) -> None:
        """Learn the file's size: a convert may have added to it."""
        self.size = max(self.size, self._path.stat().st_size)

    def _over(self, seconds: float) -> bool:
        return (
            self._steps > self._some_steps + _STEPS_A_BYTE * self.size
            or seconds > self._some_seconds + self.size / _BYTES_A_SECOND
        )


class GuardedConnection(sqlite3.Connection):
    """A connection to a manifest, of which every statement is bounded.

    Attributes:
        path: of the manifest.
        guard: what bounds it.
        columns: each table's.
        settings: the table `dataset` as it was when the manifest was opened.
        locks: sqlite locks the file while it reads and writes.
        file: the manifest as it was checked, held until the connection is closed.
    """

    path: Path
    guard: Guard
    locks: bool
    columns: dict[str, frozenset[str]]
    settings: dict[str, str]
    file: HeldFile | None = None

    def close(self) -> None:
        """Close the manifest; sqlite's locks of other connections of this process stay."""
        super().close()
        if self.file is not None:
            self.file.close()

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement."""
        self.guard.start()
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement many times."""
        self.guard.start()
        return super().executemany(*arguments)

    def rows(self, statement: str, values: Any = ()) -> list[Any]:
        """Return the rows of a statement that reads.

        Raises:
            DatasetError: they cannot be read, or are more than a file of this size can hold.
        """
        self.guard.start()
        cursor = None
        before = self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_TEXT)
        try:
            cursor = super().execute(statement, values)
            rows = cursor.fetchmany(_AT_ONCE)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if cursor is not None:
                cursor.close()
            raise self.unreadable(error) from error
        finally:
            self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
        if len(rows) == _AT_ONCE:
            size = _bytes_of(rows)
            for batch in self.batches(statement, values, begun=cursor):
                rows += batch
                size += _bytes_of(batch)
                if size > self.guard.size:
                    raise self.too_much()
        return rows

    def long_rows(self, statement: str, values: Any = ()) -> list[Any]:
        """Return rows as `rows` does; their texts may be as long as those of the table `runs` are."""
        rows: list[Any] = []
        size = 0
        for batch in self.batches(statement, values, longest=LONGEST_OF_RUNS, at_once=_LONG_AT_ONCE):
            rows += batch
            size += _bytes_of(batch)
            if size > self.guard.size:
                raise self.too_much()
        return rows

    def numbers(self, statement: str, values: Any = ()) -> list[Any]:
        """Return the rows of a statement that reads and is given no texts; raises what `rows` does."""
        at_once = min(self.guard.most_rows + 1, _NUMBERS_AT_ONCE)  # all, and one more is refused
        batches = self.batches(statement, values, longest=_LONGEST_NUMBER, at_once=at_once)
        rows = next(batches, [])
        for batch in batches:
            rows += batch
        return rows

    def batches(
        self,
        statement: str,
        values: Any = (),
        *,
        longest: int = LONGEST_TEXT,
        at_once: int = _AT_ONCE,
        begun: sqlite3.Cursor | None = None,
    ) -> Iterator[list[Any]]:
        """Yield the rows of a statement that reads, in batches; raises what `rows` does.

        Args:
            statement: the SQL.
            values: of its placeholders.
            longest: bytes of a text that it reads.
            at_once: rows that are read at a time.
            begun: of the statement, if it runs already and one batch was taken.
        """
        if begun is None:
            self.guard.start()
        count = 0 if begun is None else at_once
        cursor = begun
        try:
            while True:
                before = self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
                try:
                    cursor = cursor or super().execute(statement, values)
                    rows = cursor.fetchmany(at_once)
                finally:
                    self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
                if len(rows) < at_once:
                    cursor = None  # sqlite is done with it
                    if rows:
                        yield rows
                    return
                yield rows
                count += len(rows)
                if count > self.guard.most_rows:
                    self.guard.look_again()
                    if count > self.guard.most_rows:
                        raise self.too_much()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self.unreadable(error) from error
        finally:
            if cursor is not None:
                with suppress(sqlite3.ProgrammingError):  # the connection may be closed
                    cursor.close()  # a statement that is not done keeps others from writing

    def each(self, statement: str, values: Any = ()) -> Iterator[Any]:
        """Yield the rows of a statement that reads; raises what `rows` does."""
        return chain.from_iterable(self.batches(statement, values))

    @contextmanager
    def long_texts(self) -> Iterator[None]:
        """Let texts be as long as those of the table `runs` are."""
        before = self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_OF_RUNS)
        try:
            yield
        finally:
            self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)

    def unreadable(self, error: Exception) -> DatasetError:
        """Return an error of sqlite's in words for readers."""
        if self.guard.overrun:
            error = DatasetError(
                f"it takes more work than its {self.guard.size:,} bytes can need: it is damaged"
            )
        if isinstance(error, sqlite3.DataError):  # what sqlite says of a text beyond the limit
            return CorruptError(f"{self.path}: a row makes no sense: {error}")
        return DatasetError(f"{self.path} cannot be read: {error}")

    def too_much(self) -> DatasetError:
        """Return the error of rows that are more than the file has room for."""
        return DatasetError(
            f"{self.path} cannot be read: its {self.guard.size:,} bytes cannot hold all that it gives: it is"
            " damaged"
        )

    def restrict(self, *, writing: bool) -> None:
        """From now on, let statements use nothing but the format's tables."""
        self.set_authorizer(_may_change if writing else _may_read)


def _bytes_of(rows: list[Any]) -> int:
    """Return the least number of bytes that the texts take: no two rows of a sound file share them."""
    size = 0
    for column in zip(*rows, strict=True):
        kinds = {*map(type, column)}
        if kinds <= _TEXTS:
            size += sum(map(len, column))
        elif kinds & _TEXTS:
            size += sum(len(value) for value in column if type(value) in _TEXTS)
    return size


def _may_read(action: int, table: str | None, name: str | None, _: str | None, inside: str | None) -> int:
    """Allow what reads the format's tables; `inside` is the view or trigger that a statement comes from."""
    if inside is None:  # sqlite asks for each column
        if action == _READ:
            return _OK if table in _TABLES else _DENY
        if action in _STEPS or (action == _FUNCTION and name in _FUNCTIONS):
            return _OK
    return _DENY


def _may_change(action: int, table: str | None, name: str | None, of: str | None, inside: str | None) -> int:
    """Allow what reads and changes the format's tables, too."""
    allowed = inside is None and action in _CHANGES and table in COLUMNS
    return _OK if allowed else _may_read(action, table, name, of, inside)
