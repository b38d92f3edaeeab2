"""The manifest takes what archives say, and others may read it meanwhile."""

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest

import brinery
from brinery.engine.converting import manifest_writer as manifest
from brinery.errors import StorageError

from ..test_convert import SMALL, assert_holds


def test_files_from_the_far_future_are_images_like_others(tmp_path, folder, files):
    late = folder / min(files)
    os.utime(late, (2**34, 2**34))  # the year 2514, in ns more than 64 bits hold
    if late.stat().st_mtime_ns < 1 << 63:
        pytest.skip("this file system has no such times")
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (result.samples, result.failures) == (40, 0)
    again = brinery.convert(folder, tmp_path / "out", **SMALL)
    assert (again.converted, again.unchanged) == (0, 40)


def test_a_manifest_never_lacks_what_it_takes_to_open(tmp_path, folder, monkeypatch):
    def fail(*_):
        raise StorageError("the disk gave up")

    for name in ("put_settings", "commit", "begin_run"):  # the first transactions after the manifest's own
        monkeypatch.setattr(manifest.Manifest, name, fail)
        with pytest.raises(StorageError, match="gave up"):
            brinery.convert(folder, tmp_path / name, **SMALL)
        with brinery.open(tmp_path / name) as dataset:
            assert len(dataset) == 0
        monkeypatch.undo()
        assert brinery.convert(folder, tmp_path / name, **SMALL).converted == 40


def holding(manifest, seconds):
    """Read a manifest for a while in a transaction of one's own."""
    reading = threading.Event()

    def read():
        with closing(sqlite3.connect(manifest, isolation_level=None)) as db:
            db.execute("BEGIN")
            db.execute("SELECT COUNT(*) FROM samples").fetchone()
            reading.set()
            time.sleep(seconds)

    reader = threading.Thread(target=read)
    reader.start()
    reading.wait()
    return reader


def test_a_reader_of_the_manifest_delays_a_run_and_no_more(tmp_path, folder, files):
    brinery.convert(folder, tmp_path / "out", limit=10, **SMALL)
    reader = holding(tmp_path / "out/manifest.sqlite", 0.5)
    result = brinery.convert(folder, tmp_path / "out", **SMALL)
    reader.join()
    assert (result.samples, result.converted) == (40, 30)
    assert_holds(tmp_path / "out", files)


def test_a_reader_that_does_not_end_stops_the_run(tmp_path, folder, files, monkeypatch):
    brinery.convert(folder, tmp_path / "out", limit=10, **SMALL)
    monkeypatch.setattr(manifest, "_READERS_SECONDS", 0.2)
    reader = holding(tmp_path / "out/manifest.sqlite", 2)
    with pytest.raises(StorageError, match=r"cannot write .*: database is locked"):
        brinery.convert(folder, tmp_path / "out", **SMALL)
    reader.join()
    brinery.convert(folder, tmp_path / "out", **SMALL)
    assert_holds(tmp_path / "out", files)


def test_what_early_datasets_lack_is_added_by_the_next_run(tmp_path, folder, files):
    brinery.convert(folder, tmp_path / "out", limit=10, **SMALL)
    with closing(sqlite3.connect(tmp_path / "out" / "manifest.sqlite")) as db:
        for column in ("colours", "source_crc32"):
            db.execute(f"ALTER TABLE samples DROP COLUMN {column}")
        db.execute("DROP TABLE sources")
        db.commit()
    with brinery.open(tmp_path / "out") as dataset:
        assert len(dataset) == 10
    assert brinery.convert(folder, tmp_path / "out", **SMALL).converted == 30
    assert_holds(tmp_path / "out", files)
