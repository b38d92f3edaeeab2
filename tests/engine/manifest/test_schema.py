"""Only the tables that brinery makes are a manifest's, with the columns that versions have added."""

import sqlite3
from contextlib import closing

import pytest

from brinery.engine.manifest.schema import COLUMNS, SCHEMA, check_schema, missing
from brinery.errors import DatasetError

OBJECTS = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master"


def objects(*statements, sql=SCHEMA):
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(sql)
        for statement in statements:
            db.execute(statement)
        return db.execute(OBJECTS).fetchall()


def test_every_table_is_known_with_its_columns():
    found = check_schema(objects())
    assert found == {name: frozenset(columns) for name, columns in COLUMNS.items()}
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA)
        for name, columns in COLUMNS.items():
            assert tuple(columns) == tuple(row[1] for row in db.execute(f"PRAGMA table_xinfo({name})"))
    assert missing(found) == []


def test_the_way_it_is_written_down_does_not_matter():
    changed = SCHEMA.replace("\n", "\n\n  ").replace("  ", "\t ").replace("CREATE TABLE ", "create  table\n")
    assert changed != SCHEMA
    check_schema(objects(sql=changed))


DROPPED = (
    "ALTER TABLE samples DROP COLUMN source_crc32",
    "ALTER TABLE samples DROP COLUMN colours",
    "DROP TABLE sources",
)


@pytest.mark.parametrize("statements", [DROPPED[:1], DROPPED[1:2], DROPPED[2:], DROPPED])
def test_what_early_versions_lack_is_added(statements):
    found = check_schema(objects(*statements))
    added = missing(found)
    assert len(added) == len(statements)
    assert missing(check_schema(objects(*statements, *added))) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (a)",
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER more AFTER INSERT ON runs BEGIN DELETE FROM samples; END",
        "CREATE INDEX more ON samples (shape)",
        "CREATE INDEX more ON samples (length(shape))",
        "CREATE INDEX more ON skipped (key) WHERE abs(run) > 0",
        "CREATE VIRTUAL TABLE more USING rtree (id, a, b)",
        "CREATE VIRTUAL TABLE more USING fts5 (a)",
        "ANALYZE",
        "ALTER TABLE samples ADD COLUMN more TEXT",
        "ALTER TABLE shards ADD COLUMN more AS (unit + 1)",
        "ALTER TABLE samples RENAME COLUMN xxh3 TO hash",
        "ALTER TABLE skipped RENAME TO dropped",
        "ALTER TABLE runs DROP COLUMN backend",
        "DROP TABLE timeline",
        "DROP INDEX samples_key",
    ],
)
def test_anything_else_is_refused(statement):
    with pytest.raises(DatasetError, match=r"is not as brinery makes it|it lacks"):
        check_schema(objects(statement))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    value TEXT NOT NULL\n", "    value TEXT AS (hex(zeroblob(400000000)))\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT AS (hex(name)) STORED\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT NOT NULL DEFAULT 'x'\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT NOT NULL COLLATE NOCASE\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT NOT NULL CHECK (length(value) < 9)\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT NOT NULL UNIQUE\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE\n"),
        ("    value TEXT NOT NULL\n", "    value\u00a0TEXT NOT NULL\n"),
        ("    value TEXT NOT NULL\n", "    value TEXT /* NOT NULL */\n"),
        ("name  TEXT PRIMARY KEY", '"name" TEXT PRIMARY KEY'),
        ("    name  TEXT PRIMARY KEY,", "    name  TEXT PRIMARY KEY, more TEXT,"),
        ("id          INTEGER PRIMARY KEY", "id          INTEGER PRIMARY KEY AUTOINCREMENT"),
        ("id          INTEGER PRIMARY KEY", "id          INTEGER PRIMARY KEY DESC"),
        ("UNIQUE (unit, part)", "UNIQUE (part, unit)"),
        ("    UNIQUE (unit, part)\n", "    UNIQUE (unit, part), CHECK (part >= 0)\n"),
        ("PRIMARY KEY (shard, record)\n) WITHOUT ROWID", "PRIMARY KEY (shard, record)\n)"),
        (") WITHOUT ROWID;\nCREATE UNIQUE", ") STRICT, WITHOUT ROWID;\nCREATE UNIQUE"),
        ("(member) WHERE member IS NOT NULL", "(member) WHERE member > abs(1)"),
        ("ON samples (key)", "ON samples (key COLLATE NOCASE)"),
        ("ON samples (key)", "ON samples (lower(key))"),
        ("    ordinal         INTEGER NOT NULL,\n    key", "    key"),
        ("    colours         TEXT,\n", "    colours         TEXT,\n    colours2 TEXT,\n"),
    ],
)
def test_a_table_that_differs_is_refused(before, after):
    assert before in SCHEMA
    with pytest.raises(DatasetError, match="is not as brinery makes it"):
        check_schema(objects(sql=SCHEMA.replace(before, after, 1)))


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("value", [None, 0, -1, 2.5, b"table", "x", "samples", "CREATE TABLE samples (a)\0"])
def test_a_row_of_the_schema_can_hold_anything(column, value):
    rows = objects()
    row = (*rows[3][:column], value, *rows[3][column + 1 :])
    if row != rows[3]:
        with pytest.raises(DatasetError):
            check_schema([*rows[:3], row, *rows[4:]])


def test_a_number_that_equals_a_page_is_none():
    rows = objects()
    check_schema(rows)
    with pytest.raises(DatasetError, match="is not as brinery makes it"):
        check_schema([(*rows[0][:3], float(rows[0][3]), rows[0][4]), *rows[1:]])


def test_columns_that_a_caller_changes_are_its_own():
    check_schema(objects()).clear()
    assert check_schema(objects()).keys() == COLUMNS.keys()


def test_tables_share_no_page():
    rows = objects()
    rows[3] = (*rows[3][:3], rows[0][3], rows[3][4])
    with pytest.raises(DatasetError, match="is not as brinery makes it"):
        check_schema(rows)
