"""A manifest is opened for one purpose: to be read as it was at one moment, or to be written by a convert."""

import sqlite3
from contextlib import closing

import pytest

from brinery.engine.manifest.connect import connect_read_only, connect_to_write
from brinery.engine.manifest.schema import FORMAT, MANIFEST_NAME, SCHEMA
from brinery.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    make(tmp_path / MANIFEST_NAME)
    return tmp_path


def make(path, form=FORMAT):
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(SCHEMA)
        db.execute("INSERT INTO dataset VALUES ('format', ?)", (form,))


def change(folder, statement):
    with closing(sqlite3.connect(folder / MANIFEST_NAME)) as db, db:
        db.execute(statement)


def test_a_reader_sees_one_state_and_changes_nothing(folder):
    with closing(connect_read_only(folder)) as connection:
        assert connection.settings == {"format": FORMAT}
        assert (connection.locks, connection.path) == (True, folder / MANIFEST_NAME)
        assert connection.in_transaction
        with pytest.raises(sqlite3.Error):
            connection.execute("INSERT INTO dataset VALUES ('a', 'b')")
    with closing(connect_read_only(folder)) as connection:
        assert connection.rows("SELECT COUNT(*) FROM dataset") == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH ':memory:' AS other",
        "PRAGMA user_version",
        "SELECT load_extension('a')",
        "SELECT * FROM pragma_table_list",
    ],
)
def test_no_statement_leaves_the_tables_of_the_format(folder, statement):
    with closing(connect_read_only(folder)) as connection, pytest.raises(sqlite3.Error):
        connection.execute(statement)


def test_a_new_manifest_has_no_tables_yet(tmp_path):
    with closing(connect_to_write(tmp_path / MANIFEST_NAME, timeout=1)) as connection:
        assert (connection.columns, connection.settings) == ({}, {})
        assert not connection.in_transaction
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO dataset VALUES ('format', ?)", (FORMAT,))
    with closing(connect_to_write(tmp_path / MANIFEST_NAME, timeout=1)) as connection:
        assert connection.columns["dataset"] == {"name", "value"}
        assert connection.settings == {"format": FORMAT}


def test_a_link_is_no_place_for_a_new_manifest(tmp_path):
    (tmp_path / MANIFEST_NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=MANIFEST_NAME):
        connect_to_write(tmp_path / MANIFEST_NAME, timeout=1)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE dataset SET value = 'brinery/999'", "the dataset says 'brinery/999'"),
        ("DELETE FROM dataset", "the dataset says none"),
        ("UPDATE dataset SET value = x'00'", "a setting is no text"),
        ("CREATE TABLE more (a)", "is no manifest of a brinery dataset"),
        ("DROP TABLE samples", "is no manifest of a brinery dataset"),
    ],
)
def test_other_manifests_are_refused_by_readers_and_writers(folder, statement, says):
    change(folder, statement)
    with pytest.raises(DatasetError, match=says):
        connect_read_only(folder)
    with pytest.raises(DatasetError, match=says):
        connect_to_write(folder / MANIFEST_NAME, timeout=1)


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path):
    with pytest.raises(DatasetError, match=r"holds no manifest\.sqlite: it is no brinery dataset"):
        connect_read_only(tmp_path)
    with pytest.raises(DatasetError, match="does not exist"):
        connect_read_only(tmp_path / "nothing")
