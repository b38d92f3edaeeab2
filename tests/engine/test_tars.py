"""What becomes of a tar's entries in a dataset, plain or compressed."""

import sqlite3
from contextlib import closing

import pytest

import brinery

from ..images import images, jpeg, make_tar

SMALL = {"workers": 2, "backend": "threading", "shard_size": "64KiB", "fsync": False}
COMPRESSIONS = ["gz", "bz2", "xz"]


def rows(dataset, table, columns="*", order="key"):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return db.execute(f"SELECT {columns} FROM {table} ORDER BY {order}").fetchall()


@pytest.mark.parametrize("mode", COMPRESSIONS)
def test_a_member_ends_the_same_way_in_a_plain_and_in_a_compressed_tar(tmp_path, mode):
    files = {
        "notes.txt": b"no image",
        "named.png": b"no image either",
        "empty.jpg": b"",
        "cut.jpg": jpeg(1)[:-200],
        "large.jpg": jpeg(2) + bytes(20_000),
        **images(3),
    }
    plain = make_tar(tmp_path / "a.tar", files)
    packed = make_tar(tmp_path / "a.packed", files, f"w:{mode}")
    for source, out in ((plain, "one"), (packed, "two")):
        brinery.convert(source, tmp_path / out, max_bytes=15_000, **SMALL)
    assert rows(tmp_path / "one", "failures", "key, stage, error") == [
        ("cut.jpg", "decode", "DecodeError"),
        ("empty.jpg", "decode", "DecodeError"),
        ("large.jpg", "read", "ReadError"),
        ("named.png", "decode", "DecodeError"),
    ]
    for table in ("samples", "failures", "skipped", "shards"):
        order = "id" if table == "shards" else "key"
        assert rows(tmp_path / "one", table, order=order) == rows(tmp_path / "two", table, order=order)
