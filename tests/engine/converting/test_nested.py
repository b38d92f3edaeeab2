"""Archives inside of archives: a hint, or with `nested` their members."""

import sqlite3
from contextlib import closing

import pytest

import brinery
from brinery.errors import ArchiveError

from ...images import images, jpeg, make_folder, make_tar, make_zip
from ..test_convert import assert_holds, contents

SMALL = {"workers": 2, "backend": "threading", "shard_size": "64KiB", "fsync": False}


def skipped(dataset):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return dict(db.execute("SELECT key, reason FROM skipped"))


@pytest.fixture
def outer(tmp_path):
    """A tar that holds images, a tar, a zip and a compressed tar, and what all of it gives."""
    tar = make_tar(tmp_path / "inner.tar", images(9)).read_bytes()
    zipped = make_zip(tmp_path / "inner.zip", images(5)).read_bytes()
    packed = make_tar(tmp_path / "inner.tgz", images(7), "w:gz").read_bytes()
    outside = {"first.jpg": jpeg(70), "z.jpg": jpeg(71)}
    files = {"a/in.tar": tar, **outside, "b/in.zip": zipped, "c/in.tgz": packed}
    inside = {
        **{f"a/in.tar/{name}": data for name, data in images(9).items()},
        **{f"b/in.zip/{name}": data for name, data in images(5).items()},
        **{f"c/in.tgz/{name}": data for name, data in images(7).items()},
    }
    return files, outside, inside


def test_without_the_option_archives_are_skipped_with_a_hint(tmp_path, outer):
    files, outside, _ = outer
    for make, name in ((make_tar, "a.tar"), (make_zip, "a.zip"), (make_folder, "a")):
        result = brinery.convert(make(tmp_path / name, files), tmp_path / f"{name}.out", **SMALL)
        assert (result.samples, result.skipped, result.archives, result.exit_code) == (2, 3, 3, 0)
        assert_holds(tmp_path / f"{name}.out", outside)
        assert skipped(tmp_path / f"{name}.out") == {
            "a/in.tar": "tar archive: --nested reads it",
            "b/in.zip": "zip archive: --nested reads it",
            "c/in.tgz": "gzip data: --nested reads it",
        }


def test_where_there_are_archives_only_the_error_says_what_reads_them(tmp_path, outer):
    files, _, _ = outer
    folder = make_folder(tmp_path / "in", {name: data for name, data in files.items() if "/" in name})
    with pytest.raises(ArchiveError, match="3 of them archives: --nested reads them"):
        brinery.convert(folder, tmp_path / "out", **SMALL)


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_with_it_their_members_are_samples_the_same_whoever_works(tmp_path, outer, layout):
    files, outside, inside = outer
    for make, name in ((make_tar, "a.tar"), (make_zip, "a.zip"), (make_folder, "a")):
        source = make(tmp_path / name, files)
        found = []
        for workers in (1, 3):
            out = tmp_path / f"{name}.{workers}"
            options = {**SMALL, "workers": workers, "layout": layout, "shard_size": "16KiB"}
            result = brinery.convert(source, out, nested=True, **options)
            assert (result.samples, result.failures, result.skipped, result.archives) == (23, 0, 0, 0)
            assert_holds(out, outside | inside)
            found.append(contents(out))
        assert found[0] == found[1]


def test_a_dataset_remembers_that_nested_archives_are_read(tmp_path, outer):
    files, outside, inside = outer
    source = make_tar(tmp_path / "a.tar", files)
    out = tmp_path / "out"
    brinery.convert(source, out, **SMALL)
    result = brinery.convert(source, out, nested=True, **SMALL)
    assert (result.converted, result.samples, result.skipped, result.gone) == (21, 23, 0, 0)
    before = contents(out)
    result = brinery.convert(source, out, **SMALL)
    assert (result.converted, result.samples, result.unchanged, result.gone) == (0, 23, 23, 0)
    assert contents(out) == before
    assert_holds(out, outside | inside)


def test_a_compressed_tar_of_tars(tmp_path):
    inner = [make_tar(tmp_path / "inner.tar", images(4, number)).read_bytes() for number in range(3)]
    source = make_tar(tmp_path / "a.tgz", {f"{number}.tar": tar for number, tar in enumerate(inner)}, "w:gz")
    assert brinery.convert(source, tmp_path / "out", nested=True, **SMALL).samples == 12
    expected = {
        f"{number}.tar/{name}": data for number in range(3) for name, data in images(4, number).items()
    }
    assert_holds(tmp_path / "out", expected)


def test_reasons_of_any_length_are_counted(tmp_path):
    """What lies too deep is said in more words than a number has digits."""
    deep = make_tar(tmp_path / "deep.tar", images(1)).read_bytes()
    inner = make_tar(tmp_path / "inner.tar", {"deep.tar": deep, **images(2)}).read_bytes()
    source = make_tar(tmp_path / "a.tar", {"inner.tar": inner})
    result = brinery.convert(source, tmp_path / "out", nested=True, **SMALL)
    assert (result.samples, result.skipped, result.archives) == (2, 1, 0)
    assert list(skipped(tmp_path / "out")) == ["inner.tar/deep.tar"]
