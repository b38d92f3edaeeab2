"""Databases of a listing: exact, of no name, and bounded."""

import sqlite3

import pytest

from brinery.errors import StorageError
from brinery.parser.archives.spilled import no_room, spilled_database


def test_tables_are_there_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    db = spilled_database("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")
    db.executemany("INSERT INTO keys VALUES (?)", ((f"{number:0100}",) for number in range(50_000)))
    assert db.execute("SELECT COUNT(*) FROM keys").fetchone() == (50_000,)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO keys VALUES (?)", (f"{7:0100}",))
    db.close()
    assert list(tmp_path.iterdir()) == []


def test_two_know_nothing_of_each_other():
    one, other = (spilled_database("CREATE TABLE keys (key TEXT)") for _ in range(2))
    one.execute("INSERT INTO keys VALUES ('a')")
    assert other.execute("SELECT COUNT(*) FROM keys").fetchone() == (0,)
    one.close()
    other.close()


def test_a_full_disk_says_what_to_do():
    error = no_room(sqlite3.OperationalError("database or disk is full"))
    assert isinstance(error, StorageError)
    assert "database or disk is full" in str(error)
    assert "TMPDIR" in str(error)
