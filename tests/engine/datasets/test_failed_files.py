"""The files that failed come out of their archives as they are, under safe names, and nowhere else."""

import csv
import os
import sqlite3
import tarfile
from contextlib import closing

import pytest

import brinery
from brinery.engine.datasets.failed_files import copy_failed
from brinery.engine.datasets.failures import read_failures
from brinery.errors import CorruptError, DestinationError, UsageError

from ...images import MAKERS, images, jpeg, make_folder, make_tar, make_zip

FAST = {"workers": 1, "backend": "threading", "fsync": False}
BROKEN = {
    "bad/cut.jpg": jpeg(1)[:300],
    "bad/text.jpg": b"this is no image at all",
    "bad/empty.png": b"",
}


def converted(tmp_path, *sources, **options):
    brinery.convert(list(sources), tmp_path / "out", **FAST, **options)
    return tmp_path / "out"


def copied(dataset, out):
    return copy_failed(dataset, out, read_failures(dataset).failures)


def files_in(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "failures.csv"
    }


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_every_kind_of_source_gives_back_what_failed(tmp_path, make):
    dataset = converted(tmp_path, make(tmp_path / "source", images(3) | BROKEN))
    result = copied(dataset, tmp_path / "broken")
    assert (result.files, result.not_copied, result.exit_code) == (3, (), 0)
    assert files_in(tmp_path / "broken") == BROKEN


def test_what_a_dataset_was_made_from_gives_back_what_failed_in_it(tmp_path):
    dataset = converted(tmp_path, make_tar(tmp_path / "a.tar", images(1) | BROKEN))
    brinery.export(dataset, tmp_path / "other", protocol="npz", **FAST)
    result = copied(tmp_path / "other", tmp_path / "broken")
    assert (result.files, len(result.not_copied), result.exit_code) == (0, 3, 3)
    assert {one.reason for one in result.not_copied} == {
        f"its source {dataset} is a dataset, from which `brinery failures` copies it"
    }


def test_an_index_says_which_failure_each_file_is(tmp_path):
    dataset = converted(tmp_path, make_tar(tmp_path / "a.tar", images(1) | BROKEN))
    copied(dataset, tmp_path / "broken")
    with (tmp_path / "broken" / "failures.csv").open(newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert rows.keys() == BROKEN.keys()
    assert rows["bad/text.jpg"]["file"] == "bad/text.jpg"
    assert rows["bad/text.jpg"]["stage"] == "decode"
    assert "holds no image" in rows["bad/text.jpg"]["message"]


def test_archives_in_archives_and_several_sources_keep_their_prefixes(tmp_path):
    inner = make_tar(tmp_path / "inner.tar", {"x.jpg": b"text", **images(1)}).read_bytes()
    outer = make_tar(tmp_path / "outer.tar", {"inner.tar": inner})
    other = make_zip(tmp_path / "other.zip", {"y.jpg": b"words", **images(1)})
    dataset = converted(tmp_path, outer, other, nested=True)
    copied(dataset, tmp_path / "broken")
    assert files_in(tmp_path / "broken") == {
        "outer.tar/inner.tar/x.jpg": b"text",
        "other.zip/y.jpg": b"words",
    }


def test_hostile_names_stay_inside_and_write_over_nothing(tmp_path):
    names = ["../../evil.jpg", "a/../b.jpg", "failures.csv/x.jpg", "bad\x1b[2J.jpg", f"{'long' * 80}.jpg"]
    names += ["twin~1.jpg", "twin.jpg", "./twin.jpg", "deep/x.jpg", "deep", "..", "c:\\d.jpg"]
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        for number, name in enumerate(names):
            data = jpeg(number)[: 200 + number]
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, __import__("io").BytesIO(data))
    brinery.convert(path, tmp_path / "out", **FAST)
    failures = read_failures(tmp_path / "out").failures
    result = copy_failed(tmp_path / "out", tmp_path / "broken", failures)
    assert result.files + len(result.not_copied) == len(failures)
    found = files_in(tmp_path / "broken")
    assert len(found) == result.files >= len(names) - 2
    assert len(set(found.values())) == len(found)
    assert {path.name for path in tmp_path.iterdir()} == {"hostile.tar", "out", "broken"}
    assert all(name.isprintable() for name in found)


def test_a_source_that_is_gone_or_changed_is_said_by_name(tmp_path):
    photos = make_folder(tmp_path / "photos", images(2) | BROKEN)
    dataset = converted(tmp_path, photos)
    (photos / "bad" / "cut.jpg").write_bytes(jpeg(1))
    (photos / "bad" / "text.jpg").unlink()
    result = copied(dataset, tmp_path / "broken")
    assert (result.files, result.exit_code) == (1, 3)
    reasons = {one.key: one.reason for one in result.not_copied}
    assert "changed since it failed" in reasons["bad/cut.jpg"]
    assert reasons["bad/text.jpg"] == f"{photos} does not hold it any more"
    photos.rename(tmp_path / "elsewhere")
    (one, *_) = copied(dataset, tmp_path / "again").not_copied
    assert f"its source {photos} is not there any more" in one.reason


def test_what_the_listing_refused_has_no_bytes(tmp_path):
    source = make_folder(tmp_path / "photos", images(1))
    (source / "lost.jpg").symlink_to("nowhere.jpg")
    (one,) = copied(converted(tmp_path, source), tmp_path / "broken").not_copied
    assert one.key == "lost.jpg"
    assert "has no bytes of its own" in one.reason


def test_lost_frames_are_one_file(tmp_path):
    from PIL import Image

    first, *rest = (Image.new("L", (40, 30), value) for value in (10, 120, 200))
    first.save(tmp_path / "scan.tif", save_all=True, append_images=rest, compression="tiff_lzw")
    data = bytearray((tmp_path / "scan.tif").read_bytes())
    source = make_folder(tmp_path / "photos", images(1))
    dataset = converted(tmp_path, make_folder(source, {"scan.tif": bytes(data[:-60])}), frames="all")
    keys = [one.key for one in read_failures(dataset).failures]
    assert keys
    result = copied(dataset, tmp_path / "broken")
    assert files_in(tmp_path / "broken") == {"scan.tif": bytes(data[:-60])}
    assert result.exit_code == 0


def test_the_folder_is_new_and_outside(tmp_path):
    photos = make_folder(tmp_path / "photos", images(1) | BROKEN)
    dataset = converted(tmp_path, photos)
    for inside in (dataset / "broken", photos / "broken"):
        with pytest.raises(UsageError, match="lies inside"):
            copied(dataset, inside)
    full = make_folder(tmp_path / "full", {"thesis.tex": b"years"})
    with pytest.raises(DestinationError, match="not empty"):
        copied(dataset, full)
    assert os.listdir(full) == ["thesis.tex"]


@pytest.mark.parametrize("path", ["/dev/zero", "a\0b", "", "/", "relative.tar", "FIFO", "x" * 5000])
def test_a_manifest_that_names_other_sources_harms_nothing(tmp_path, path):
    dataset = converted(tmp_path, make_tar(tmp_path / "a.tar", images(1) | BROKEN))
    if path == "FIFO":
        path = str(tmp_path / "pipe")
        os.mkfifo(path)
    elif path == "/":
        path = str(tmp_path / "dataset that is no source")
        make_folder(path, {"bad/cut.jpg": b"another one"})
    change(dataset, "UPDATE sources SET path = ?", path)
    result = copied(dataset, tmp_path / "broken")
    assert (result.files, len(result.not_copied)) == (0, 3)
    assert files_in(tmp_path / "broken") == {}


def test_a_manifest_whose_encoding_is_none_is_damaged(tmp_path):
    dataset = converted(tmp_path, make_tar(tmp_path / "a.tar", images(1) | BROKEN))
    change(dataset, "UPDATE sources SET encoding = ?", "rot13")
    with pytest.raises(CorruptError, match="rot13"):
        copied(dataset, tmp_path / "broken")


def change(dataset, statement, value):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        db.execute(statement, (value,))
