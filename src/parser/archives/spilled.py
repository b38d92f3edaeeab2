"""Databases for what a listing must remember: exact, private, and in bounded memory."""

import sqlite3

from ...errors import StorageError

__all__ = ["no_room", "spilled_database"]


def spilled_database(*statements: str) -> sqlite3.Connection:
    """Return a database that holds some megabytes in memory and the rest in a temporary file without a name.

    It is used within one transaction, from one thread at a time.

    Args:
        statements: make its tables.
    """
    db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    for statement in (
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = OFF",
        "PRAGMA cache_size = -4000",
        *statements,
        "BEGIN",
    ):
        db.execute(statement)
    return db


def no_room(error: sqlite3.Error) -> StorageError:
    """Return the error that such a database cannot grow."""
    return StorageError(
        f"cannot write a temporary file: {error}; make room, or name another folder in TMPDIR"
    )
