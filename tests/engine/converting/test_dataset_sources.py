"""A dataset as a source: recognised, listed, compared with what was made of it, or refused with a reason."""

import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pytest

import brinery
from brinery.engine.converting.dataset_sources import list_dataset, recognise_datasets
from brinery.engine.converting.options import ConvertCall
from brinery.engine.locks.folder_lock import FolderLock
from brinery.errors import ArchiveError, DatasetError, DestinationError, UsageError
from brinery.parser.archives.listing import plan_sources

from ...images import images, jpeg, make_folder, make_tar
from ..test_convert import SMALL, contents


@pytest.fixture
def dataset(tmp_path, folder):
    brinery.convert(folder, tmp_path / "made", **SMALL)
    return tmp_path / "made"


def rows(dataset, statement):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return db.execute(statement).fetchall()


def planned(path, **options):
    plan, _ = recognise_datasets(plan_sources([path]), ConvertCall(path, "out", **options))
    return plan[0]


def test_a_dataset_is_told_from_a_folder_with_a_manifest_of_its_own(dataset, folder):
    (folder / "manifest.sqlite").write_bytes(b"somebody else's")
    assert [planned(path).kind for path in (dataset, folder)] == ["dataset", "folder"]


def test_a_second_run_does_nothing(tmp_path, dataset):
    out = tmp_path / "out"
    brinery.convert(dataset, out, protocol="npz", **SMALL)
    before = contents(out)
    again = brinery.convert(dataset, out, protocol="npz", **SMALL)
    assert (again.converted, again.unchanged, again.samples) == (0, 40, 40)
    assert contents(out) == before
    assert rows(out, "SELECT command FROM runs") == [("export",), ("export",)]


def test_what_changed_in_the_dataset_is_done_again_and_what_is_gone_is_pruned(tmp_path, dataset, folder):
    out = tmp_path / "out"
    brinery.convert(dataset, out, protocol="npz", **SMALL)
    first, second, third = sorted(folder.rglob("*.jpg"))[:3]
    first.unlink()
    second.write_bytes(jpeg(77))
    make_folder(folder, {"new.jpg": jpeg(78)})
    third.write_bytes(b"no image any more")
    brinery.convert(folder, dataset, prune=True, **SMALL)
    again = brinery.convert(dataset, out, protocol="npz", **SMALL)
    assert (again.converted, again.unchanged, again.gone, again.failures) == (2, 37, 1, 1)
    pruned = brinery.convert(dataset, out, protocol="npz", prune=True, **SMALL)
    assert (pruned.converted, pruned.pruned, pruned.samples) == (0, 1, 39)
    assert_same(dataset, out)


def test_pixels_that_changed_are_noticed_where_the_images_did_not(tmp_path):
    source = make_folder(tmp_path / "in", {"a.jpg": jpeg(1, (240, 320, 3))[:-500], "b.jpg": jpeg(2)})
    made, out = tmp_path / "made", tmp_path / "out"
    for salvage, samples in ((False, 1), (True, 2)):
        brinery.convert(source, made, salvage=salvage, retry_failed=salvage, **SMALL)
        result = brinery.convert(made, out, protocol="hdf5", **SMALL)
        assert (result.samples, result.converted, result.failures) == (samples, 1, 2 - samples)
    assert rows(out, "SELECT key FROM samples WHERE salvaged") == [("a.jpg",)]


def assert_same(dataset, other):
    with brinery.open(dataset) as made, brinery.open(other) as out:
        assert sorted(out.keys) == sorted(made.keys)
        for key in made.keys:
            np.testing.assert_array_equal(made[key], out[key])


def test_a_dataset_that_moved_is_recognised(tmp_path, dataset):
    brinery.convert(dataset, tmp_path / "out", **SMALL)
    shutil.move(dataset, tmp_path / "elsewhere" / "made")
    again = brinery.convert(tmp_path / "elsewhere" / "made", tmp_path / "out", **SMALL)
    assert (again.converted, again.unchanged) == (0, 40)


def test_settings_of_the_dataset_hold_for_the_other(tmp_path, folder):
    made = tmp_path / "made"
    brinery.convert(folder, made, mode="gray", orient=True, **SMALL)
    brinery.convert(made, tmp_path / "out", protocol="npz", **SMALL)
    settings = dict(rows(tmp_path / "out", "SELECT name, value FROM dataset"))
    assert [settings[name] for name in ("mode", "orient", "frames")] == ["gray", "yes", "first"]
    brinery.convert(made, tmp_path / "out", protocol="npz", mode="gray", **SMALL)
    with pytest.raises(UsageError, match="made with mode gray, not rgb, and no image is decoded again"):
        brinery.convert(made, tmp_path / "other", mode="rgb", **SMALL)
    with pytest.raises(UsageError, match="made with frames first, not all"):
        brinery.convert(made, tmp_path / "other", frames="all", **SMALL)


def test_several_datasets_get_prefixes_if_they_have_the_same_settings(tmp_path, dataset):
    other = tmp_path / "other"
    brinery.convert(make_tar(tmp_path / "more.tar", images(3)), other, **SMALL)
    result = brinery.convert([dataset, other], tmp_path / "out", protocol="npz", **SMALL)
    assert result.samples == 43
    with brinery.open(tmp_path / "out") as out, brinery.open(other) as made:
        np.testing.assert_array_equal(out["other/set1/0001.jpg"], made["set1/0001.jpg"])
    rgb = tmp_path / "rgb"
    brinery.convert(tmp_path / "more.tar", rgb, mode="rgb", **SMALL)
    with pytest.raises(UsageError, match="rgb was made with mode rgb, not native"):
        brinery.convert([dataset, rgb], tmp_path / "mixed", **SMALL)


def test_an_archive_beside_a_dataset_takes_a_run_of_its_own(tmp_path, dataset):
    tar = make_tar(tmp_path / "more.tar", images(3))
    with pytest.raises(UsageError, match=r"made is a dataset, and .*more\.tar is none: convert one after"):
        brinery.convert([dataset, tar], tmp_path / "out", **SMALL)
    brinery.convert(dataset, tmp_path / "out", **SMALL)
    added = brinery.convert(tar, tmp_path / "out", add=True, **SMALL)
    assert (added.samples, added.converted, added.others) == (43, 3, 40)


def test_a_dataset_that_a_convert_writes_is_refused(tmp_path, dataset):
    lock = FolderLock(dataset)
    lock.take()
    try:
        with pytest.raises(DatasetError, match=r"a convert is writing into .*made: wait"):
            brinery.convert(dataset, tmp_path / "out", **SMALL)
    finally:
        lock.release()
    assert not (tmp_path / "out").exists()


def test_a_dataset_that_is_written_meanwhile_ends_the_listing(dataset):
    entries = list_dataset(planned(dataset), lambda _record, _prefix: True)
    next(entries)
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        db.execute("UPDATE runs SET workers = workers + 1")
    with pytest.raises(ArchiveError, match="changed while it was being read"):
        list(entries)


@pytest.mark.parametrize("inside", ["", "shards", "deep/er"])
def test_the_destination_lies_outside(dataset, inside):
    with pytest.raises(UsageError, match="lies inside the source"):
        brinery.convert(dataset, dataset / inside, **SMALL)


def test_a_dataset_goes_into_one_with_its_settings_only(tmp_path, dataset, folder):
    brinery.convert(folder, tmp_path / "out", mode="gray", **SMALL)
    with pytest.raises(DestinationError, match="was made with mode gray, not native"):
        brinery.convert(dataset, tmp_path / "out", add=True, **SMALL)


def test_a_damaged_manifest_is_said_before_anything_is_made(tmp_path, dataset):
    manifest = dataset / "manifest.sqlite"
    manifest.write_bytes(manifest.read_bytes()[:5000])
    with pytest.raises(DatasetError, match="manifest"):
        brinery.convert(dataset, tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


def test_a_dataset_of_an_early_version_is_a_source_too(tmp_path, dataset):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        for column in ("colours", "source_crc32"):
            db.execute(f"ALTER TABLE samples DROP COLUMN {column}")
        db.execute("DROP TABLE sources")
    brinery.convert(dataset, tmp_path / "out", protocol="npz", **SMALL)
    assert_same(dataset, tmp_path / "out")
    assert rows(tmp_path / "out", "SELECT DISTINCT colours, source_crc32 FROM samples") == [(None, None)]
