"""What a manifest records of members comes together again, image by image; what makes no sense is refused."""

import sqlite3
from contextlib import closing

import pytest

import brinery
from brinery.engine.datasets.member_records import array_bytes, is_dataset, notes_of, records_of, units_of
from brinery.engine.manifest.reader import Catalog
from brinery.errors import CorruptError

from ...images import jpeg, make_folder
from ..converting.test_lost_frames import OPTIONS, tiff


@pytest.fixture
def dataset(tmp_path):
    files = {"a.tif": tiff(0), "b.jpg": b"no image", "c.txt": b"text", "d.jpg": jpeg(1)}
    source = make_folder(tmp_path / "in", files)
    (source / "link.jpg").symlink_to("nothing.jpg")
    brinery.convert(source, tmp_path / "out", **OPTIONS)
    return tmp_path / "out"


def test_a_member_has_its_frames_and_what_failed_of_it(dataset):
    with closing(Catalog(dataset)) as catalog:
        (found,) = [records_of(catalog, unit) for unit in units_of(catalog)]
        notes = [*notes_of(catalog)]
    assert [(one.key, len(one.samples), [note.key for note in one.notes]) for one in found] == [
        ("a.tif", 3, ["a.tif"]),
        ("b.jpg", 0, ["b.jpg"]),
        ("c.txt", 0, ["c.txt"]),
        ("d.jpg", 1, []),
    ]
    assert [one.source.size for one in found] == [len(tiff(0)), 8, 4, len(jpeg(1))]
    assert [(note.key, note.ordinal) for note in notes] == [("link.jpg", None)]


def test_the_bytes_of_its_arrays_are_known(dataset):
    assert array_bytes(dataset) == 3 * 12 * 16 * 3 + 24 * 32 * 3


def test_a_folder_is_a_dataset_by_its_manifest_and_its_files(tmp_path, dataset):
    assert [is_dataset(path) for path in (dataset, dataset / "shards", tmp_path)] == [True, False, False]


def test_a_unit_that_no_run_reaches_is_refused(dataset):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        db.execute("UPDATE failures SET unit = ?", (2**62,))
    with closing(Catalog(dataset)) as catalog, pytest.raises(CorruptError, match="no dataset has"):
        units_of(catalog)
