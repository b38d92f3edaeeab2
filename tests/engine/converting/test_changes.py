"""A member with other bytes is converted anew, also where its size and time are what they were."""

import io
import os
import sqlite3
import tarfile
import time
import zipfile
from contextlib import closing

import numpy as np
import pytest

import brinery
from brinery.engine.converting import worker
from brinery.parser.archives.reading import MemberReader

from ...images import make_folder
from ..test_convert import SMALL, assert_holds, contents


def ppm(seed):
    """An image whose size says nothing of its pixels."""
    return b"P6\n16 12\n255\n" + np.random.default_rng(seed).integers(0, 256, 576, np.uint8).tobytes()


def images(changed=(), count=60):
    return {f"{index:02}.ppm": ppm(index + (1000 if index in changed else 0)) for index in range(count)}


def make_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return path


def make_tar(path, files, mode="w"):
    with tarfile.open(path, mode, format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def make_tar_gz(path, files):
    return make_tar(path, files, "w:gz")


def in_folder(path, files):
    """Files whose time of change is always the same."""
    make_folder(path, files)
    for name in files:
        os.utime(path / name, (0, 0))
    return path


MAKERS = [make_zip, make_tar, make_tar_gz, in_folder]


def tick():
    """Wait until the clock of file systems, whose step is 10 ms or less, has moved on."""
    time.sleep(0.05)


@pytest.fixture
def reads(monkeypatch):
    """The keys of members that are read, by threads of this process."""
    found = []
    read = MemberReader.read

    def reading(self, member):
        found.append(member.key)
        return read(self, member)

    monkeypatch.setattr(MemberReader, "read", reading)
    return found


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("make", MAKERS)
def test_other_pixels_of_equal_size_and_time_are_found(tmp_path, make, layout):
    out, source = tmp_path / "out", make(tmp_path / "source", images())
    brinery.convert(source, out, layout=layout, **SMALL)
    tick()
    make(source, images(changed={3, 30, 31}))
    result = brinery.convert(source, out, layout=layout, **SMALL)
    assert (result.converted, result.unchanged, result.samples, result.gone) == (3, 57, 60, 0)
    assert_holds(out, images(changed={3, 30, 31}))
    again = brinery.convert(source, out, layout=layout, **SMALL)
    assert (again.converted, again.unchanged) == (0, 60)


@pytest.mark.parametrize("make", MAKERS)
def test_what_did_not_change_is_neither_read_nor_decoded(tmp_path, make, reads, monkeypatch):
    source = make(tmp_path / "source", images())
    tick()
    brinery.convert(source, tmp_path / "out", **SMALL)
    reads.clear()
    assert brinery.convert(source, tmp_path / "out", **SMALL).unchanged == 60
    assert reads == []
    tick()
    make(source, images())  # the same bytes in another file
    tick()
    monkeypatch.setattr(worker, "decode", lambda *_: pytest.fail("decoded"))
    result = brinery.convert(source, tmp_path / "out", **SMALL)
    compared = 0 if make is make_zip else 60  # a zip tells
    assert (result.unchanged, result.summary.members, len(reads)) == (60, compared, compared)
    assert result.summary.source_bytes == compared * len(ppm(0))
    reads.clear()
    assert brinery.convert(source, tmp_path / "out", **SMALL).unchanged == 60
    assert reads == []


def test_a_time_set_back_in_place_is_no_proof(tmp_path):
    source = make_tar(tmp_path / "source.tar", images())
    times = source.stat().st_atime_ns, source.stat().st_mtime_ns
    brinery.convert(source, tmp_path / "out", **SMALL)
    tick()
    with source.open("r+b") as file:
        file.write(make_tar(tmp_path / "other.tar", images(changed={7})).read_bytes())
    os.utime(source, ns=times)
    assert brinery.convert(source, tmp_path / "out", **SMALL).converted == 1
    assert_holds(tmp_path / "out", images(changed={7}))


def test_a_link_that_leads_to_another_archive(tmp_path):
    for name, changed in (("one.tar", ()), ("two.tar", {1})):
        make_tar(tmp_path / name, images(changed))
        os.utime(tmp_path / name, (0, 0))
    link = tmp_path / "current.tar"
    link.symlink_to("one.tar")
    tick()
    brinery.convert(link, tmp_path / "out", **SMALL)
    link.unlink()
    link.symlink_to("two.tar")
    assert brinery.convert(link, tmp_path / "out", **SMALL).converted == 1
    assert_holds(tmp_path / "out", images({1}))


@pytest.mark.parametrize("what", ["file", "folder", "source"])
def test_a_link_in_a_folder_that_leads_elsewhere(tmp_path, what):
    source, changed = tmp_path / "source", {0, 1, 2}
    for name, files in (("one", images()), ("two", images(changed))):
        in_folder(tmp_path / name, files)
    source.mkdir()
    name, link = {
        "file": ("00.ppm", source / "00.ppm"),
        "folder": ("", source / "00.ppm"),
        "source": ("", tmp_path / "link"),
    }[what]
    link.symlink_to(tmp_path / "one" / name)
    tick()
    given = link if what == "source" else source
    first = brinery.convert(given, tmp_path / "out", follow_links=True, **SMALL)
    tick()
    link.unlink()
    link.symlink_to(tmp_path / "two" / name)
    result = brinery.convert(given, tmp_path / "out", follow_links=True, **SMALL)
    assert (result.converted, result.samples, result.gone) == (1 if what == "file" else 3, first.samples, 0)


def test_an_archive_that_grew_keeps_what_it_had(tmp_path, reads):
    out, source = tmp_path / "out", make_tar(tmp_path / "source.tar", images(count=40))
    brinery.convert(source, out, **SMALL)
    before = contents(out)[0]
    tick()
    more = {name: data for name, data in images().items() if name >= "40"}
    make_tar(source, more, "a")
    result = brinery.convert(source, out, **SMALL)
    assert (result.converted, result.unchanged) == (20, 40)
    assert before.items() <= contents(out)[0].items()


@pytest.mark.parametrize(("workers", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")])
@pytest.mark.parametrize("make", [make_tar, in_folder])
def test_workers_and_backend_change_nothing(tmp_path, workers, backend, make):
    def converted(out, options):
        source = make(tmp_path / "source", images())
        brinery.convert(source, out, **options)
        tick()
        make(source, images(changed=range(5, 50, 3)))
        brinery.convert(source, out, **options)
        return contents(out)

    given = converted(tmp_path / "a", SMALL | {"workers": workers, "backend": backend})
    assert given == converted(tmp_path / "b", SMALL | {"workers": 1, "backend": "threading"})


def test_what_changed_fills_shards_however_far_apart_it_lies(tmp_path):
    source, changed = make_tar(tmp_path / "source.tar", images(count=400)), range(0, 400, 20)
    brinery.convert(source, tmp_path / "out", **SMALL)
    before = set((tmp_path / "out" / "shards").iterdir())
    tick()
    make_tar(source, images(changed, count=400))
    brinery.convert(source, tmp_path / "out", **SMALL)
    made = set((tmp_path / "out" / "shards").iterdir()) - before
    assert len(made) <= 5


def test_failures_and_what_was_no_image_are_looked_at_again(tmp_path):
    def files(good):
        text = b"no image, and as long as one".ljust(len(ppm(0)))
        return images(count=5) | {
            "cut.ppm": ppm(70) if good else text,
            "none": ppm(71) if good else text,
            "still none": text,
        }

    out, source = tmp_path / "out", make_tar(tmp_path / "source.tar", files(good=False))
    first = brinery.convert(source, out, **SMALL)
    assert (first.samples, first.failures, first.skipped) == (5, 1, 2)
    tick()
    make_tar(source, files(good=True))
    result = brinery.convert(source, out, **SMALL)
    assert (result.samples, result.converted, result.failures, result.skipped) == (7, 2, 0, 1)


def test_a_run_that_was_interrupted_compares_again(tmp_path, monkeypatch):
    out, source = tmp_path / "out", make_tar(tmp_path / "source.tar", images())
    brinery.convert(source, out, **SMALL)
    state = source.stat()
    kept = source.rename(tmp_path / "kept.tar")
    make_tar(source, images(changed={1, 2}))
    monkeypatch.setattr("brinery.engine.converting.run.Run._settle", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        brinery.convert(source, out, **SMALL)
    monkeypatch.undo()
    kept.replace(source)  # what was there at first, as far as its state tells
    with closing(sqlite3.connect(out / "manifest.sqlite")) as db:
        assert db.execute("SELECT listed_ns, inode FROM sources").fetchall() == [(0, None)]
    assert source.stat().st_ino == state.st_ino
    assert brinery.convert(source, out, **SMALL).converted == 2
    assert_holds(out, images())


def test_an_early_dataset_is_compared_where_its_archive_is_newer_than_its_last_run(tmp_path, reads):
    out, source = tmp_path / "out", make_zip(tmp_path / "source.zip", images())
    brinery.convert(source, out, **SMALL)
    with closing(sqlite3.connect(out / "manifest.sqlite")) as db:
        db.execute("UPDATE samples SET source_crc32 = NULL")
        db.execute("DELETE FROM sources")
        db.execute("UPDATE runs SET started = '2099-01-01T00:00:00+00:00'")
        db.commit()
    reads.clear()
    assert brinery.convert(source, out, limit=5, **SMALL).converted == 0
    assert reads == []
    make_zip(source, images(changed={4}))
    with closing(sqlite3.connect(out / "manifest.sqlite")) as db:
        db.execute("DELETE FROM sources")
        db.execute("UPDATE runs SET started = '2001-01-01T00:00:00+00:00'")
        db.commit()
    assert brinery.convert(source, out, **SMALL).converted == 1
    assert_holds(out, images(changed={4}))
