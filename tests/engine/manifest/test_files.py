"""What lies where a manifest should be is looked at before sqlite opens it."""

import os
import sqlite3
import struct
from contextlib import closing

import pytest

from brinery.engine.manifest.files import check_files
from brinery.errors import DatasetError

PAGE = 4096


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE samples (key TEXT)")
        db.commit()
    return path


def patch(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def journal(path, *, pages=2, page_size=PAGE, sector=512, records=b""):
    """A journal as sqlite begins one: magic, records, nonce, pages before, sector, page size."""
    head = struct.pack(">8sIIIII", bytes.fromhex("d9d505f920a163d7"), 1, 7, pages, sector, page_size)
    path.with_name("manifest.sqlite-journal").write_bytes(head.ljust(512, b"\0") + records)


def test_a_sound_manifest(manifest):
    found = check_files(manifest)
    assert (found.size, found.half_done, found.locks) == (manifest.stat().st_size, False, True)


def test_a_manifest_that_is_not_there_yet(tmp_path):
    assert check_files(tmp_path / "manifest.sqlite").size == 0


def test_a_journal_that_undoes_its_own_pages_is_let_be(manifest):
    journal(manifest, records=bytes(PAGE + 8))
    assert check_files(manifest).half_done


@pytest.mark.parametrize(
    "wrong",
    [
        {"pages": 1 << 31},  # would make terabytes of it
        {"page_size": 100},
        {"page_size": 512},  # not that of the manifest
        {"sector": 3},
        {"records": bytes(1 << 20)},  # far more than every page once
    ],
)
def test_a_journal_that_would_do_more_than_undo_is_refused(manifest, wrong):
    journal(manifest, **wrong)
    with pytest.raises(DatasetError, match="does not belong to this manifest"):
        check_files(manifest)


def test_a_journal_over_several_files_is_refused(manifest, tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    journal(manifest, records=os.fsencode(victim) + bytes.fromhex("d9d505f920a163d7"))
    with pytest.raises(DatasetError, match="would involve other files"):
        check_files(manifest)
    assert victim.exists()


def test_a_log_in_the_manifests_place_is_refused(manifest):
    manifest.with_name("manifest.sqlite-wal").touch()
    with pytest.raises(DatasetError, match="has a log"):
        check_files(manifest)


def test_a_manifest_that_asks_for_a_log_is_refused(manifest):
    patch(manifest, 18, b"\2\2")
    with pytest.raises(DatasetError, match="would involve other files"):
        check_files(manifest)


@pytest.mark.parametrize(("at", "data"), [(16, b"\0\3"), (56, b"\0\0\0\2")], ids=["page size", "UTF-16"])
def test_a_header_that_makes_no_sense_is_refused(manifest, at, data):
    patch(manifest, at, data)
    with pytest.raises(DatasetError, match="its header makes no sense"):
        check_files(manifest)


def test_a_hole_is_no_size(manifest):
    os.truncate(manifest, 1 << 40)
    with pytest.raises(DatasetError, match="the others are a hole"):
        check_files(manifest)


@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(manifest, what):
    other = manifest.rename(manifest.with_name("other"))
    if what == "link":
        manifest.symlink_to(other)
    elif what == "pipe":
        os.mkfifo(manifest)
    else:
        manifest.mkdir()
    with pytest.raises(DatasetError, match=r"is a link|no regular file"):
        check_files(manifest)
