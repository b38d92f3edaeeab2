"""Rows of a manifest: every value of its column's type and sign, or an error that names it."""

import sqlite3
from contextlib import closing

import pytest

import brinery
from brinery.engine.manifest.connect import connect_read_only
from brinery.engine.manifest.rows import checked_rows, counted_rows
from brinery.errors import CorruptError

from ...images import images, make_folder

OPTIONS = {"shard_size": "4KiB", "workers": 1, "backend": "threading", "fsync": False}


@pytest.fixture
def dataset(tmp_path):
    brinery.convert(make_folder(tmp_path / "photos", images(10)), tmp_path / "out", **OPTIONS)
    return tmp_path / "out"


def change(dataset, statement):
    with closing(sqlite3.connect(dataset / "manifest.sqlite", isolation_level=None)) as db:
        db.execute(statement)


def read(dataset, *columns, rest="", values=(), at_once=4):
    with closing(connect_read_only(dataset)) as db:
        return [
            row
            for rows in checked_rows(db, "samples", columns, rest, values, at_once=at_once)
            for row in rows
        ]


def test_rows_come_in_batches_and_in_order(dataset):
    keys = sorted(images(10))
    with closing(connect_read_only(dataset)) as db:
        batches = list(checked_rows(db, "samples", ["key"], "ORDER BY key", at_once=4))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [key for batch in batches for (key,) in batch] == keys
    assert read(dataset, "key", "frame", rest="WHERE key = ?", values=[keys[3]]) == [(keys[3], 0)]


def test_equal_rows_are_counted(dataset):
    with closing(connect_read_only(dataset)) as db:
        assert counted_rows(db, "samples", ["dtype", "shape"]) == {("|u1", "[24, 32, 3]"): 10}


@pytest.mark.parametrize(
    ("column", "value"),
    [("length", "'many'"), ("length", "2.5"), ("dtype", "x'00'"), ("record", "-1"), ("frames", "-3")],
)
def test_a_value_of_another_kind_names_its_table_and_column(dataset, column, value):
    change(dataset, f"UPDATE OR IGNORE samples SET {column} = {value} WHERE ordinal = 4")
    with pytest.raises(CorruptError, match=f"the table samples has .* as {column}, which makes no sense"):
        read(dataset, "key", column)
    with closing(connect_read_only(dataset)) as db, pytest.raises(CorruptError, match=column):
        counted_rows(db, "samples", [column])


def test_what_may_be_missing_or_before_the_epoch_may(dataset):
    change(dataset, "UPDATE samples SET source_mtime_ns = -5, payload = NULL, colours = NULL")
    assert read(dataset, "source_mtime_ns", "payload", "colours") == [(-5, None, None)] * 10
