"""sqlite's locks outlast other openings of the same manifest in the process."""

import os
import subprocess
import sys
from contextlib import closing

import pytest

import brinery
from brinery.engine.manifest.connect import connect_read_only, connect_to_write
from brinery.engine.manifest.held_file import HeldFile

from ...images import images, make_tar

OTHER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    db.execute(sys.argv[2]).fetchall()
except sqlite3.OperationalError as error:
    print(error)
"""
ANY = "SELECT * FROM samples"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held")
    tar = make_tar(folder / "photos.tar", images(3))
    brinery.convert(tar, folder / "out", backend="threading", workers=1)
    return folder / "out"


def another_process(path, statement):
    """What sqlite tells another process that runs a statement."""
    code = [sys.executable, "-c", OTHER, path / "manifest.sqlite", statement]
    return subprocess.run(code, capture_output=True, text=True, check=True).stdout


def open_files(path):
    """How often this process has a manifest open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return [os.path.realpath(link) for link in links].count(os.path.realpath(path / "manifest.sqlite"))


def test_a_reader_keeps_its_lock_while_others_of_its_process_come_and_go(made):
    with closing(connect_read_only(made)) as reader:
        reader.rows(ANY)
        with brinery.open(made):
            assert "locked" in another_process(made, "BEGIN EXCLUSIVE")
        assert "locked" in another_process(made, "BEGIN EXCLUSIVE")
        reader.commit()
        assert another_process(made, "BEGIN EXCLUSIVE") == ""


def test_a_writer_keeps_its_lock_while_the_dataset_is_read_in_its_process(made):
    with closing(connect_to_write(made / "manifest.sqlite", timeout=0)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with brinery.open(made) as dataset:
            assert len(dataset) == 3
        assert "locked" in another_process(made, "BEGIN IMMEDIATE")
        writer.execute("ROLLBACK")
    assert another_process(made, "BEGIN IMMEDIATE") == ""


def test_the_last_connection_closes_the_file(made):
    assert open_files(made) == 0
    first, second = brinery.open(made), brinery.open(made)
    assert open_files(made) == 3  # one for each connection, and one that they share
    first.close()
    first.close()
    assert open_files(made) == 2
    second.close()
    del first, second
    assert open_files(made) == 0


def test_a_file_that_took_the_place_of_another_is_another(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with closing(HeldFile(path)) as old, closing(HeldFile(path)) as same:
        (tmp_path / "b").write_bytes(b"new one")
        (tmp_path / "b").replace(path)
        with closing(HeldFile(path)) as new:
            assert (old.read(0, 9), same.read(1, 9), new.read(0, 9)) == (b"old", b"ld", b"new one")
            assert old.number == same.number != new.number
            new.copy(tmp_path / "copy")
        old.copy(tmp_path / "copied")
    assert (tmp_path / "copy").read_bytes() == b"new one"
    assert (tmp_path / "copied").read_bytes() == b"old"


def test_a_file_that_is_refused_is_not_held(made, tmp_path):
    (tmp_path / "link").symlink_to(made / "manifest.sqlite")
    with pytest.raises(OSError, match="link"):
        HeldFile(tmp_path / "link")
    with pytest.raises(FileNotFoundError):
        HeldFile(tmp_path / "nothing")
    assert open_files(made) == 0
