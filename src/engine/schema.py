"""The tables of manifest.sqlite, format brinery.dataset/1; docs/dataset-format.md explains each column."""

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

from ..errors import DatasetError

__all__ = [
    "FORMAT",
    "HAS_COLOURS",
    "JOURNAL_NAME",
    "MANIFEST_NAME",
    "SCHEMA",
    "add_what_is_missing",
    "check_files",
    "check_schema",
    "connect_read_only",
]

FORMAT = "brinery.dataset/1"
MANIFEST_NAME = "manifest.sqlite"
JOURNAL_NAME = f"{MANIFEST_NAME}-journal"
_SQLITE = b"SQLite format 3\0"
_ROLLBACK_MODE = b"\1\1"  # bytes 18 and 19 of the file; a write-ahead log would bring files of its own
_ANOTHER_FILE = bytes.fromhex("d9d505f920a163d7")

HAS_COLOURS = "SELECT 1 FROM pragma_table_info('samples') WHERE name = 'colours'"

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

_SOURCES = SCHEMA[SCHEMA.index("CREATE TABLE sources") : SCHEMA.index("CREATE TABLE runs")]
_ADDED_COLUMNS = {"colours": "TEXT", "source_crc32": "INTEGER"}
_TABLES = {"dataset", "shards", "samples", "failures", "skipped", "runs", "timeline"}


def connect_read_only(folder: Path) -> sqlite3.Connection:
    """Open a dataset's manifest for reading only, after checking that it is one.

    Raises:
        DatasetError: there is none, it is damaged, or of another format.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        what = "does not exist" if not folder.exists() else f"holds no {MANIFEST_NAME}"
        raise DatasetError(f"{folder} {what}: it is no brinery dataset")
    check_files(path)
    _recover(path)
    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        check_schema(connection, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return connection


def check_files(path: Path) -> None:
    """Refuse a manifest, or a journal beside it, that would lead sqlite to other files; before it sees them.

    A journal that ends with a name is part of a transaction over several files: undoing it, sqlite deletes
    the file of that name. Manifests are written alone.

    Raises:
        DatasetError: it would, or cannot be read.
    """
    journal = path.with_name(JOURNAL_NAME)
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            head = file.read(20)
        end = b""
        with (
            suppress(FileNotFoundError),
            open(journal, "rb", opener=lambda name, _: os.open(name, flags | os.O_NOFOLLOW)) as file,
        ):
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DatasetError(f"{journal} is no regular file")
            file.seek(max(0, file.seek(0, os.SEEK_END) - len(_ANOTHER_FILE)))
            end = file.read()
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from error
    if (head.startswith(_SQLITE) and head[18:] != _ROLLBACK_MODE) or end == _ANOTHER_FILE:
        raise DatasetError(f"{path} is no manifest as brinery writes it: it would involve other files")


def _recover(path: Path) -> None:
    """Let sqlite undo what a killed writer left half done, which a read-only connection may not."""
    if not path.with_name(JOURNAL_NAME).exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()


def add_what_is_missing(connection: sqlite3.Connection) -> None:
    """Add the columns of samples and the table that datasets of early versions lack."""
    have = {name for _, name, *_ in connection.execute("PRAGMA table_info(samples)")}
    for name, kind in _ADDED_COLUMNS.items():
        if name not in have:
            connection.execute(f"ALTER TABLE samples ADD COLUMN {name} {kind}")
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sources'").fetchone():
        connection.execute(_SOURCES)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DatasetError unless the file holds the tables of this format, as tables, and nothing active."""
    rows = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    tables = {name for kind, name in rows if kind == "table"}
    if not tables >= _TABLES or any(kind in ("trigger", "view") for kind, _ in rows):
        raise DatasetError(f"{path} is no manifest of a brinery dataset")
    found = connection.execute("SELECT value FROM dataset WHERE name = 'format'").fetchone()
    if found is None or found[0] != FORMAT:
        named = repr(found[0]) if found else "none"
        raise DatasetError(f"{path}: this brinery reads the format {FORMAT!r}, the dataset says {named}")
