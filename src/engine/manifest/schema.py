"""The tables of manifest.sqlite, format brinery.dataset/1; docs/dataset-format.md explains each column."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...errors import DatasetError

__all__ = ["COLUMNS", "FORMAT", "MANIFEST_NAME", "SCHEMA", "check_schema", "missing"]

FORMAT = "brinery.dataset/1"
MANIFEST_NAME = "manifest.sqlite"

SCHEMA = """
CREATE TABLE dataset (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE shards (
    id          INTEGER PRIMARY KEY,
    unit        INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    name        TEXT,
    file_bytes  INTEGER NOT NULL,
    pixel_bytes INTEGER NOT NULL,
    samples     INTEGER NOT NULL,  -- rows of the table samples, not records of the file
    beside      INTEGER,
    UNIQUE (unit, part)
);

CREATE TABLE samples (
    shard           INTEGER NOT NULL REFERENCES shards (id),
    record          INTEGER NOT NULL,
    ordinal         INTEGER NOT NULL,
    key             TEXT NOT NULL,
    member          TEXT,
    frame           INTEGER NOT NULL,
    frames          INTEGER NOT NULL,
    start           INTEGER NOT NULL,
    length          INTEGER NOT NULL,
    payload         INTEGER,
    dtype           TEXT NOT NULL,
    shape           TEXT NOT NULL,
    xxh3            TEXT NOT NULL,
    orientation     INTEGER NOT NULL,
    salvaged        INTEGER NOT NULL,
    source_size     INTEGER NOT NULL,
    source_mtime_ns INTEGER NOT NULL,
    source_xxh3     TEXT,
    colours         TEXT,
    source_crc32    INTEGER,
    PRIMARY KEY (shard, record)
) WITHOUT ROWID;
CREATE UNIQUE INDEX samples_key ON samples (key);
CREATE INDEX samples_member ON samples (member) WHERE member IS NOT NULL;

CREATE TABLE failures (
    key             TEXT NOT NULL,
    unit            INTEGER,
    ordinal         INTEGER,
    stage           TEXT NOT NULL,
    error           TEXT NOT NULL,
    message         TEXT NOT NULL,
    source_size     INTEGER NOT NULL,
    source_mtime_ns INTEGER NOT NULL,
    source_xxh3     TEXT,
    run             INTEGER NOT NULL
);
CREATE INDEX failures_key ON failures (key);
CREATE INDEX failures_unit ON failures (unit);

CREATE TABLE skipped (
    key             TEXT NOT NULL,
    unit            INTEGER,
    ordinal         INTEGER,
    reason          TEXT NOT NULL,
    source_size     INTEGER NOT NULL,
    source_mtime_ns INTEGER NOT NULL,
    source_xxh3     TEXT,
    run             INTEGER NOT NULL
);
CREATE INDEX skipped_key ON skipped (key);
CREATE INDEX skipped_unit ON skipped (unit);

CREATE TABLE sources (
    id        INTEGER PRIMARY KEY,
    path      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    prefix    TEXT NOT NULL,
    encoding  TEXT,
    size      INTEGER,
    mtime_ns  INTEGER,
    ctime_ns  INTEGER,
    inode     INTEGER,
    listed_ns INTEGER NOT NULL
);

CREATE TABLE runs (
    id       INTEGER PRIMARY KEY,
    command  TEXT NOT NULL,
    started  TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    workers  INTEGER NOT NULL,
    backend  TEXT NOT NULL,
    wall_ns  INTEGER,
    settings TEXT NOT NULL,
    summary  TEXT
);

CREATE TABLE timeline (
    run               INTEGER NOT NULL REFERENCES runs (id),
    t_ns              INTEGER NOT NULL,
    pid               INTEGER NOT NULL,
    role              TEXT NOT NULL,
    cpu_user_ns       INTEGER NOT NULL,
    cpu_system_ns     INTEGER NOT NULL,
    rss_bytes         INTEGER NOT NULL,
    uss_bytes         INTEGER,
    pss_bytes         INTEGER,
    read_bytes        INTEGER,
    write_bytes       INTEGER,
    read_chars        INTEGER,
    write_chars       INTEGER,
    switches_voluntary   INTEGER,
    switches_involuntary INTEGER,
    PRIMARY KEY (run, t_ns, pid)
) WITHOUT ROWID;
"""

# What datasets of earlier versions lack; the next convert adds it. New columns stand behind a table's others,
# before its constraints, where ALTER TABLE puts them. A new table's indexes need not be named here.
_OPTIONAL_OBJECTS = frozenset({"sources"})
_OPTIONAL_COLUMNS = {"samples": ("colours", "source_crc32"), "shards": ("beside",)}
_UNNAMED = ("index", "sqlite_autoindex_shards_1", "shards")  # of a table's own UNIQUE; it has no SQL

_SPACE = re.compile(r"[ \t\n\f\r]+")  # what SQLite takes for space
_COMMENT = re.compile(r"--[^\n]*")
_OBJECT = re.compile(
    r"CREATE (TABLE|UNIQUE INDEX|INDEX) (\w+)(?: ON (\w+))? \((.*)\)( WITHOUT ROWID| WHERE .*|)"
)
_COMMA = re.compile(r", (?![^()]*\))")  # outside of brackets, which are never nested
_LONGEST = 4096  # characters of SQL that are looked at


@dataclass(frozen=True, slots=True)
class _Object:
    """A table or an index: its head, what stands in its brackets, and what follows."""

    kind: str
    table: str
    head: str
    parts: tuple[str, ...]
    end: str
    optional: frozenset[str] = frozenset()

    def takes(self, other: "_Object") -> bool:
        """Return whether the other is this one, with some of the optional columns."""
        if (self.kind, self.table, self.head, self.end) != (other.kind, other.table, other.head, other.end):
            return False
        columns = [part for part in other.parts if part not in self.optional]
        needed = [part for part in self.parts if part not in self.optional]
        return columns == needed and len(set(other.parts)) == len(other.parts)


@lru_cache(64)
def _parse(sql: str) -> tuple[str, _Object] | None:
    """Return an object's name and its parts; None for SQL that brinery never writes."""
    if len(sql) > _LONGEST or not sql.isascii() or any(mark in sql for mark in "'\"`[\0"):
        return None
    text = _SPACE.sub(" ", _COMMENT.sub("", sql)).replace("( ", "(").replace(" )", ")").strip()
    found = _OBJECT.fullmatch(text)
    if found is None:
        return None
    kind, name, table, inner, end = found.groups()
    return name, _Object(kind.split()[-1].lower(), table or name, kind, tuple(_COMMA.split(inner)), end)


def _expected() -> dict[str, _Object]:
    objects = {}
    for statement in _STATEMENTS:
        parsed = _parse(statement)
        assert parsed is not None
        name, one = parsed
        columns = _OPTIONAL_COLUMNS.get(name, ())
        optional = frozenset(part for part in one.parts if part.partition(" ")[0] in columns)
        objects[name] = _Object(one.kind, one.table, one.head, one.parts, one.end, optional)
    return objects


_STATEMENTS = tuple(statement.strip() for statement in SCHEMA.split(";") if statement.strip())
_EXPECTED = _expected()
_EXACT = {statement: name for name, statement in zip(_EXPECTED, _STATEMENTS, strict=True)}
COLUMNS: dict[str, dict[str, tuple[type, bool]]] = {
    name: {
        column: ({"TEXT": str, "INTEGER": int}[kind], "NOT NULL" not in more and "PRIMARY KEY" not in more)
        for column, kind, more in (f"{part} ".split(" ", 2) for part in one.parts if part[0].islower())
    }
    for name, one in _EXPECTED.items()
    if one.kind == "table"
}
"""The columns of every table: the type of their values, and whether NULL is one."""
_ALL_COLUMNS = {name: frozenset(COLUMNS.get(name, ())) for name in _EXPECTED}


def check_schema(rows: Iterable[tuple[Any, ...]]) -> dict[str, frozenset[str]]:
    """Check that a manifest holds the tables of this format and their indexes, and nothing else.

    Nothing of what SQL can hide in a schema is let in: views, triggers, virtual tables, computed columns,
    defaults, checks, collations, further indexes.

    Args:
        rows: type, name, table, root page and SQL of everything in `sqlite_master`.

    Returns:
        Each table's columns.

    Raises:
        DatasetError: something is missing, unknown or not as brinery makes it.
    """
    rows = tuple(rows)
    # A number that is equal to a root page need not be one, as 2.0 is not, and would be taken for it.
    exact = {type(row[3]) for row in rows} == {int}
    return dict((_checked if exact else _checked.__wrapped__)(rows))


@lru_cache(16)
def _checked(rows: tuple[tuple[Any, ...], ...]) -> dict[str, frozenset[str]]:
    """Do the work of `check_schema`; the same rows have the same verdict."""
    found: dict[str, frozenset[str]] = {}
    names, roots = set(), set()
    for kind, name, table, root, sql in rows:
        columns = _columns(kind, name, table, sql)
        if columns is None or name in names or root in roots or type(root) is not int or root < 2:
            raise DatasetError(f"its {kind!s:.20} {name!r:.60} is not as brinery makes it")
        names.add(name)
        roots.add(root)
        if kind == "table":
            found[name] = columns
    needed = {name for name, one in _EXPECTED.items() if not _optional(name, one) or one.table in found}
    lacking = needed.union(_UNNAMED[1:2]) - names
    if lacking:
        raise DatasetError(f"it lacks {', '.join(sorted(lacking))}")
    return found


def _columns(kind: Any, name: Any, table: Any, sql: Any) -> frozenset[str] | None:
    """Return the columns of a table or index that is as it should be, else None."""
    if sql is None:
        return frozenset() if (kind, name, table) == _UNNAMED else None
    expected = _EXPECTED.get(name) if type(name) is str and type(sql) is str else None
    if expected is None or (kind, table) != (expected.kind, expected.table):
        return None
    if _EXACT.get(sql) == name:
        return _ALL_COLUMNS[name]
    parsed = _parse(sql)
    if parsed is None or parsed[0] != name or not expected.takes(parsed[1]):
        return None
    return frozenset(part.partition(" ")[0] for part in parsed[1].parts)


def _optional(name: str, one: _Object) -> bool:
    return name in _OPTIONAL_OBJECTS or one.table in _OPTIONAL_OBJECTS


def missing(columns: dict[str, frozenset[str]]) -> list[str]:
    """Return the statements that add what a dataset of an earlier version lacks.

    Args:
        columns: each table's, as `check_schema` returns them.
    """
    statements = []
    for (name, one), statement in zip(_EXPECTED.items(), _STATEMENTS, strict=True):
        if one.table not in columns and _optional(name, one):
            statements.append(statement)
        elif name in columns:
            have = columns[name]
            statements += [
                f"ALTER TABLE {name} ADD COLUMN {part}"
                for part in one.parts
                if part in one.optional and part.partition(" ")[0] not in have
            ]
    return statements
