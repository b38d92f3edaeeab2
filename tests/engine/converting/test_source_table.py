"""The table of sources: what a run notes of its sources, and what early datasets lack."""

import json
import sqlite3
from contextlib import closing

import pytest

from brinery.engine.converting.source_table import begin_listing, end_listing, recorded_sources
from brinery.engine.converting.sources import Named, Recorded
from brinery.engine.manifest.schema import SCHEMA
from brinery.errors import DatasetError
from brinery.parser.archives.listing import Source

STATE = (700, 11, 12, 5)
STARTED_NS, CLOCK_NS = 1_000_000, 1000


@pytest.fixture
def db():
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA)
        yield db


def hold_something(db):
    db.execute(
        "INSERT INTO failures (key, stage, error, message, source_size, source_mtime_ns, run)"
        " VALUES ('a', 'list', 'E', 'm', 1, 1, 1)"
    )


def record_run(db, started, outcome, settings):
    statement = """INSERT INTO runs (command, started, outcome, workers, backend, settings)
        VALUES ('convert', ?, ?, 1, 'threading', ?)"""
    db.execute(statement, (started, outcome, settings))


def found(db):
    return recorded_sources(lambda statement: db.execute(statement).fetchall())


def named(name="a.zip", prefix="", state=STATE, record=None):
    source = Source(f"/real/{name}", f"/given/{name}", name, "zip", prefix, "cp437")
    return Named(source, state, CLOCK_NS, record)


def test_a_dataset_that_holds_nothing_has_no_sources(db):
    begin_listing(db, [named()], [], STARTED_NS)
    assert found(db) == []
    begin_listing(db, [named("b.zip")], [], STARTED_NS)  # the first run came to nothing
    hold_something(db)
    assert [one.path for one in found(db)] == ["/given/b.zip"]


def test_a_source_is_recorded_when_its_listing_begins_and_settled_when_it_ends(db):
    hold_something(db)
    begin_listing(db, [named()], [], STARTED_NS)
    record = Recorded("/given/a.zip", "zip", "", "cp437", STATE, STARTED_NS - CLOCK_NS)
    assert found(db) == [record]
    changed = named(state=(701, *STATE[1:]), record=record)
    begin_listing(db, [changed], [record], 2 * STARTED_NS)
    (unsettled,) = found(db)
    assert (unsettled.state, unsettled.listed_ns) == (None, 0)
    end_listing(db, [changed], 2 * STARTED_NS)
    (settled,) = found(db)
    assert (settled.state, settled.listed_ns) == (changed.state, 2 * STARTED_NS - CLOCK_NS)


def test_a_source_that_moved_keeps_its_prefix_and_those_left_out_stay(db):
    hold_something(db)
    begin_listing(db, [named("a.zip", "a/"), named("b.zip", "b/")], [], STARTED_NS)
    a, b = found(db)
    begin_listing(db, [named("moved.zip", "a/", record=a)], [a, b], STARTED_NS)
    assert [(one.path, one.prefix, one.state) for one in found(db)] == [
        ("/given/moved.zip", "a/", STATE), ("/given/b.zip", "b/", STATE),
    ]  # fmt: skip


def test_undecodable_names_are_escaped(db):
    hold_something(db)
    begin_listing(db, [named("\udcff.zip")], [], STARTED_NS)
    assert found(db)[0].path == r"/given/\xff.zip"


@pytest.mark.parametrize(
    ("column", "value"),
    [("path", b"/a"), ("path", "/a\0b"), ("kind", 3), ("prefix", None), ("encoding", "no-such-code"),
     ("size", "many"), ("inode", 0.5)],
)  # fmt: skip
def test_a_row_that_makes_no_sense_is_refused(db, column, value):
    hold_something(db)
    names = ("path", "kind", "prefix", "encoding", "size", "mtime_ns", "ctime_ns", "inode", "listed_ns")
    row = dict(zip(names, ("/a", "zip", "", None, *STATE, 0), strict=True)) | {column: value}

    def rows(statement):
        return [tuple(row.values())] if "FROM sources" in statement else db.execute(statement).fetchall()

    with pytest.raises(DatasetError, match="the table sources makes no sense"):
        recorded_sources(rows)


@pytest.mark.parametrize(
    ("given", "prefixes"),
    [(["/x/a.tar"], [""]), (["/x/a.tar", "/y/b.tar"], ["a.tar/", "b.tar/"]), (["/x/a", "/y/a"], ["a/"])],
)
def test_sources_of_an_early_dataset_are_those_of_its_last_finished_run(db, given, prefixes):
    hold_something(db)
    for started, outcome, sources in (
        ("2023-01-01T00:00:00+00:00", "finished", given),
        ("2024-01-01T00:00:00+00:00", "failed", ["/else"]),
    ):
        record_run(db, started, outcome, json.dumps({"sources": sources}))
    early = found(db)
    assert [one.prefix for one in early] == prefixes
    assert [one.path for one in early] == given[: len(prefixes)]
    assert {one.state for one in early} == {None}
    assert {one.listed_ns for one in early} == {(1_672_531_200 - 2) * 10**9}  # two seconds before


@pytest.mark.parametrize("settings", ["no document", "[1]", '{"sources": 3}'])
def test_settings_of_an_early_run_that_make_no_sense_name_no_source(db, settings):
    hold_something(db)
    record_run(db, "", "finished", settings)
    assert found(db) == []
