"""What becomes of a tar's entries in a dataset, plain or compressed."""

import gzip
import sqlite3
import tarfile
import zipfile
from contextlib import closing, suppress

import numpy as np
import pytest

import brinery
from brinery.engine.converting.manifest_writer import Manifest

from ...images import as_pillow, encoded, images, jpeg, make_tar, pixels
from ...parser.archives.tars import END, entry_of
from ..test_convert import assert_holds, contents

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


ONE, TWO = (encoded(pixels(index), "BMP") for index in (1, 2))  # of one size
REPLACED = "replaced by a later entry of the same name"


def file(name, data=ONE):
    return entry_of(tarfile.REGTYPE, name, data)


def hard(name, target):
    return entry_of(tarfile.LNKTYPE, name, b"", target)


def soft(name, target):
    return entry_of(tarfile.SYMTYPE, name, b"", target)


MIXED = [
    file("a.bmp"),
    hard("b.bmp", "a.bmp"),
    *(file(name, data) for name, data in images(20).items()),
    file("a.bmp", TWO),
    soft("set1/c.bmp", "../a.bmp"),
    soft("latest", "set0"),
    file("set1/0001.jpg", jpeg(99)),
    soft("gone.jpg", "/etc/gone.jpg"),
]
HELD = {
    **images(20),
    **{name.replace("set0", "latest"): data for name, data in images(20).items() if name.startswith("set0")},
    "a.bmp": TWO,
    "b.bmp": ONE,
    "set1/c.bmp": TWO,
    "set1/0001.jpg": jpeg(99),
}


@pytest.fixture(params=["plain", "gz"])
def write(request, tmp_path):
    """Writes a tar of these entries, which all say the same time."""

    def write(*entries, name="a.tar"):
        data = b"".join(entries) + END
        (tmp_path / name).write_bytes(data if request.param == "plain" else gzip.compress(data, mtime=0))
        return tmp_path / name

    return write


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_links_and_the_last_of_two_are_samples_the_same_whoever_works(tmp_path, write, layout):
    source = write(*MIXED)
    results = []
    for name, workers, backend in (("one", 1, "threading"), ("two", 3, "threading"), ("three", 2, "loky")):
        options = {**SMALL, "workers": workers, "backend": backend, "layout": layout, "shard_size": "16KiB"}
        result = brinery.convert(source, tmp_path / name, **options)
        assert_holds(tmp_path / name, HELD)
        assert (result.samples, result.failures, result.exit_code) == (len(HELD), 1, 3)
        results.append(contents(tmp_path / name))
    assert results[0] == results[1] == results[2]
    _, found = results[0]
    assert found["failures"] == [("gone.jpg", "list", "LinkError")]
    assert found["skipped"] == [("a.bmp", REPLACED), ("set1/0001.jpg", REPLACED)]
    assert brinery.verify(tmp_path / "one", workers=1).bad == ()


def test_a_second_run_over_links_does_nothing(tmp_path, write):
    source = write(*MIXED)
    brinery.convert(source, tmp_path / "out", **SMALL)
    before = contents(tmp_path / "out")
    result = brinery.convert(source, tmp_path / "out", **SMALL)
    assert (result.converted, result.unchanged, result.gone) == (0, len(HELD), 0)
    assert contents(tmp_path / "out") == before


class BrokenOff:
    """Has a run interrupted at one of the calls that change what its manifest says."""

    METHODS = ("commit", "begin_linking", "begin_generation")

    def __init__(self, monkeypatch, at):
        self.left = at
        for name in self.METHODS:
            monkeypatch.setattr(Manifest, name, self.counted(getattr(Manifest, name)))

    def counted(self, method):
        def call(*arguments):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return method(*arguments)

        return call


def test_a_run_that_is_broken_off_anywhere_ends_in_the_same_bytes(tmp_path, write, monkeypatch):
    source = write(*MIXED)
    options = {**SMALL, "workers": 1, "shard_size": "16KiB"}
    brinery.convert(source, tmp_path / "whole", **options)
    expected = contents(tmp_path / "whole")
    for at in range(1, 60):
        with monkeypatch.context() as patch:
            broken_off = BrokenOff(patch, at)
            with suppress(KeyboardInterrupt):
                brinery.convert(source, tmp_path / f"out{at}", **options)
        if broken_off.left > 0:
            break
        brinery.convert(source, tmp_path / f"out{at}", **options)
        assert contents(tmp_path / f"out{at}") == expected, at
    assert 10 < at < 59


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_an_entry_that_is_appended_replaces_its_elder_of_the_same_size_and_time(tmp_path, layout):
    options = {**SMALL, "layout": layout}
    (tmp_path / "a.tar").write_bytes(file("a.bmp") + file("b.bmp") + END)
    brinery.convert(tmp_path / "a.tar", tmp_path / "out", **options)
    (tmp_path / "a.tar").write_bytes(file("a.bmp") + file("b.bmp") + file("a.bmp", TWO) + END)
    for converted in (1, 0):
        result = brinery.convert(tmp_path / "a.tar", tmp_path / "out", **options)
        assert (result.converted, result.samples, result.failures, result.skipped) == (converted, 2, 0, 1)
        assert_holds(tmp_path / "out", {"a.bmp": TWO, "b.bmp": ONE})
    (tmp_path / "a.tar").write_bytes(file("a.bmp") + file("b.bmp") + END)
    result = brinery.convert(tmp_path / "a.tar", tmp_path / "out", **options)
    assert (result.converted, result.samples, result.skipped) == (1, 2, 0)
    assert_holds(tmp_path / "out", {"a.bmp": ONE, "b.bmp": ONE})


def test_what_became_of_the_first_of_two_does_not_count(tmp_path, write):
    broken = ONE[:60]
    source = write(file("good.bmp", broken), file("bad.bmp"), file("good.bmp"), file("bad.bmp", broken))
    result = brinery.convert(source, tmp_path / "out", **SMALL)
    assert (result.samples, result.failures) == (1, 1)
    assert_holds(tmp_path / "out", {"good.bmp": ONE})
    assert rows(tmp_path / "out", "failures", "key, stage") == [("bad.bmp", "decode")]
    assert [key for key, *_ in rows(tmp_path / "out", "skipped")] == ["bad.bmp", "good.bmp"]


def test_the_last_of_two_entries_counts_in_a_zip_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.bmp", ONE)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.bmp", TWO)
    result = brinery.convert(tmp_path / "a.zip", tmp_path / "out", **SMALL)
    assert (result.samples, result.failures, result.skipped) == (1, 0, 1)
    assert_holds(tmp_path / "out", {"a.bmp": TWO})


def test_links_to_large_members_of_a_compressed_tar(tmp_path, write):
    large = encoded(pixels(3, (1500, 1200, 3)), "BMP")
    assert len(large) > 5 << 20
    source = write(
        file("a.bmp", large), *(hard(f"{number}.bmp", "a.bmp") for number in range(12)), file("z.bmp")
    )
    result = brinery.convert(source, tmp_path / "out", **{**SMALL, "workers": 1, "shard_size": "1MiB"})
    assert (result.samples, result.failures) == (14, 0)
    with brinery.open(tmp_path / "out") as dataset:
        for key in ("a.bmp", "0.bmp", "11.bmp"):
            np.testing.assert_array_equal(dataset[key], as_pillow(large))


def test_the_first_entries_are_those_of_the_archive_whatever_links_lead_to_them(tmp_path, write):
    source = write(file("a.bmp"), hard("b.bmp", "a.bmp"), file("c.bmp"), hard("d.bmp", "a.bmp"))
    result = brinery.convert(source, tmp_path / "out", limit=3, **SMALL)
    assert sorted(key for (key,) in rows(tmp_path / "out", "samples", "key")) == ["a.bmp", "b.bmp", "c.bmp"]
    assert result.samples == 3
