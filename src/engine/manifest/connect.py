"""Opens a manifest: checked, guarded, and with the locks that its file system has."""

import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ...errors import DatasetError, StorageError
from ..locks.lock_file import LOCK_NAME, holder_of
from .files import JOURNAL_NAME, Found, check_files
from .guarded import LONGEST_TEXT, TICK, Guard, GuardedConnection
from .schema import FORMAT, MANIFEST_NAME, check_schema

__all__ = ["connect_read_only", "connect_to_write", "storage_error"]

_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_TEXT,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 14,
    sqlite3.SQLITE_LIMIT_COLUMN: 64,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 32,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 8,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 10_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 64,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 64,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# Without a mapping a file that shrinks is an error, not a signal.
_PRAGMAS: Final = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0"
_ANYTHING: Final = "SELECT 1 FROM sqlite_master LIMIT 1"
_OBJECTS: Final = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master LIMIT 100"


def connect_read_only(folder: Path) -> GuardedConnection:
    """Open a dataset's manifest for reading only, after checking that it is one.

    A transaction is open, so that later reads see the same state: `commit` ends it.

    Raises:
        DatasetError: it is not there, damaged, of another format, or not as brinery makes it.
    """
    path = folder / MANIFEST_NAME
    found = _find(folder, path)
    try:
        if not found.locks:
            _refuse_a_writer(folder)
        elif found.half_done:
            _undo(path, found)
        connection = _connect(path, found, mode="ro", writing=False)
        if found.half_done and not (found.locks and _opens(connection)):
            connection.close()
            connection = _connect_to_copy(path, found)
    except sqlite3.Error as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    connection.file = connection.file or found.file
    try:
        connection.execute("BEGIN")  # sqlite locks the file once, not for each statement
        _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _find(folder: Path, path: Path) -> Found:
    """Check the files of a manifest that must be there."""
    wrong = None
    try:
        found = check_files(path)
        if found.size:
            return found
    except DatasetError as error:
        wrong = error
    if not path.is_file():
        what = "does not exist" if not folder.exists() else f"holds no {MANIFEST_NAME}"
        raise DatasetError(f"{folder} {what}: it is no brinery dataset")
    if wrong is not None:
        raise wrong
    return found


def connect_to_write(path: Path, *, timeout: float) -> GuardedConnection:
    """Open a manifest for a convert, new or after checking that it is one; a new one has no `columns`.

    Args:
        path: of the manifest.
        timeout: seconds to wait for those who read it.

    Raises:
        DatasetError: it is damaged, of another format, or not as brinery makes it.
        sqlite3.Error, OSError: it cannot be opened.
    """
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))
    found = check_files(path)
    connection = _connect(path, found, mode="rwc", writing=True, timeout=timeout)
    connection.file = found.file
    try:
        if found.size and connection.execute(_ANYTHING).fetchone():
            _check(connection)
    except BaseException:
        connection.close()
        raise
    connection.set_authorizer(None)
    return connection


def _refuse_a_writer(folder: Path) -> None:
    """Refuse a manifest that is being written, if sqlite cannot lock it.

    Raises:
        DatasetError: another process converts into the folder.
    """
    try:
        holder = holder_of(folder)
    except OSError as error:
        raise DatasetError(f"{folder / LOCK_NAME} cannot be read: {error.strerror}") from error
    if holder is None or (holder.is_here and (holder.pid in (os.getpid(), os.getppid()) or not holder.runs)):
        return
    raise DatasetError(
        f"{folder} lies on a file system without locks, and a convert writes into it ({holder}): wait for its"
        f" end, or delete {folder / LOCK_NAME} if it has ended"
    )


def _undo(path: Path, found: Found) -> None:
    """Let sqlite undo what a killed writer left half done, which a read-only connection may not."""
    with suppress(sqlite3.Error), closing(_connect(path, found, mode="rw", writing=False)) as connection:
        connection.execute(_ANYTHING).fetchone()


def _opens(connection: GuardedConnection) -> bool:
    """Return whether a manifest can be read: sqlite cannot undo what is half done in a read-only one."""
    try:
        connection.execute(_ANYTHING).fetchone()
    except sqlite3.OperationalError as error:
        return not error.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
    return True


def _connect_to_copy(path: Path, found: Found) -> GuardedConnection:
    """Undo what a killed writer left half done in a copy, since the manifest cannot be written.

    The copy loses its name as soon as it is open.

    Raises:
        DatasetError: there is no room for it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="brinery-") as folder:
            copy = Path(folder) / path.name
            assert found.file is not None
            found.file.copy(copy)  # what was changed after it was copied, the journal undoes
            shutil.copyfile(path.with_name(JOURNAL_NAME), copy.with_name(JOURNAL_NAME), follow_symlinks=False)
            copied = check_files(copy)
            _undo(copy, copied)
            connection = _connect(copy, copied, mode="ro", writing=False, shown=path)
            connection.file = copied.file
            connection.execute(_ANYTHING).fetchone()
    except OSError as error:
        raise DatasetError(
            f"{path} was left by a convert that broke off, and cannot be written; nor can a copy to read from"
            f" ({error.strerror or error}): run the same convert again, or name another folder in TMPDIR"
        ) from error
    return connection


def _connect(
    path: Path, found: Found, *, mode: str, writing: bool, timeout: float = 5.0, shown: Path | None = None
) -> GuardedConnection:
    """Connect to a manifest, without sqlite's locks if the file system has none; `shown` is its name."""
    vfs = "" if found.locks else "&vfs=unix-none"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{vfs}",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        timeout=timeout,
        factory=GuardedConnection,
    )
    connection.path = shown or path
    connection.guard = Guard(connection.path, found.size, writing=writing)
    connection.locks = found.locks
    connection.columns, connection.settings = {}, {}
    connection.set_progress_handler(connection.guard.tick, TICK)
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
    connection.executescript(_PRAGMAS)
    connection.restrict(writing=False)
    return connection


def _check(connection: GuardedConnection) -> None:
    """Check that a manifest holds this format and nothing else."""
    path = connection.path
    try:
        connection.columns = check_schema(connection.rows(_OBJECTS))
    except DatasetError as error:
        raise DatasetError(f"{path} is no manifest of a brinery dataset: {error}") from error
    connection.settings = dict(connection.rows("SELECT name, value FROM dataset"))
    if not {*map(type, (*connection.settings, *connection.settings.values()))} <= {str}:
        raise DatasetError(f"{path} is damaged: a setting is no text")
    version = connection.settings.get("format")
    if version != FORMAT:
        named = "none" if version is None else repr(version)
        raise DatasetError(f"{path}: this brinery reads the format {FORMAT!r}, the dataset says {named:.60}")


def storage_error(path: Path, error: sqlite3.Error) -> StorageError | DatasetError:
    """Return why a manifest cannot be written, in the system's words if sqlite has none."""
    if not isinstance(error, sqlite3.OperationalError) and isinstance(error, sqlite3.DatabaseError):
        return DatasetError(f"{os.fspath(path)} is damaged: {error}")
    why = str(error)
    if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CANTOPEN"):  # of its journal
        why = _why_no_file(path.parent) or why
    return StorageError(f"cannot write {os.fspath(path)}: {why}")


def _why_no_file(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror
