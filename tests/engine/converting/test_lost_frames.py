"""Frames that are lost beside sound ones: recorded once, tried again, pruned and replaced."""

import io
import sqlite3
import struct
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

import brinery

from ...images import make_folder, make_tar, pixels
from ...parser.samples import tag_place

OPTIONS = {"workers": 1, "backend": "threading", "frames": "all", "fsync": False}
PAGES = [pixels(number, (12, 16, 3)) for number in range(4)]


def tiff(*bad):
    """A TIFF of four pages, of which some have their pixels beyond the end of the file."""
    stream = io.BytesIO()
    first, *rest = map(Image.fromarray, PAGES)
    first.save(stream, "TIFF", save_all=True, append_images=rest)
    data = bytearray(stream.getvalue())
    for page in bad:
        struct.pack_into("<I", data, tag_place(data, page, 273), len(data) + 99)
    return bytes(data)


def rows(dataset, statement):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        return db.execute(statement).fetchall()


def failures(dataset):
    return dict(rows(dataset, "SELECT key, message FROM failures"))


def samples(dataset):
    return rows(dataset, "SELECT key, member, frame, frames FROM samples ORDER BY ordinal, frame")


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_bad_frame_is_a_failure_beside_the_samples(tmp_path, layout, backend):
    source = make_folder(tmp_path / "in", {"a.tif": tiff(), "b.tif": tiff(1, 3), "c.tif": tiff(0)})
    out = tmp_path / "out"
    result = brinery.convert(source, out, layout=layout, **OPTIONS | {"backend": backend})
    assert (result.samples, result.converted, result.failures, result.exit_code) == (9, 9, 3, 3)
    assert [row[0] for row in samples(out)] == [
        *("a.tif", "a.tif#1", "a.tif#2", "a.tif#3", "b.tif", "b.tif#2", "c.tif#1", "c.tif#2", "c.tif#3")
    ]
    assert {row[3] for row in samples(out)} == {4}
    found = failures(out)
    assert set(found) == {"b.tif#1", "b.tif#3", "c.tif"}
    assert found["b.tif#1"].startswith("frame 1: ")
    assert found["c.tif"].startswith("frame 0: ")
    assert set(rows(out, "SELECT stage, error FROM failures")) == {("decode", "DecodeError")}
    same_place = "SELECT COUNT(*) FROM failures f JOIN samples s ON s.ordinal = f.ordinal AND s.member = ?"
    with closing(sqlite3.connect(out / "manifest.sqlite")) as db:
        assert db.execute(same_place, ("b.tif",)).fetchone() == (2,)
    with brinery.open(out) as dataset:
        assert np.array_equal(dataset["b.tif#2"], PAGES[2])
        assert np.array_equal(dataset["c.tif#3"], PAGES[3])
    assert brinery.verify(out).bad == ()


def test_nothing_is_done_again_and_the_failures_stay(tmp_path):
    source = make_folder(tmp_path / "in", {"b.tif": tiff(1, 3), "c.tif": tiff(0)})
    out = tmp_path / "out"
    brinery.convert(source, out, **OPTIONS)
    before = samples(out), failures(out)
    again = brinery.convert(source, out, **OPTIONS)
    assert (again.converted, again.unchanged, again.failures, again.exit_code) == (0, 5, 3, 3)
    assert (samples(out), failures(out)) == before


def test_retry_failed_tries_the_member_again(tmp_path):
    source = make_folder(tmp_path / "in", {"a.tif": tiff(), "b.tif": tiff(1, 3), "c.tif": tiff(0)})
    out = tmp_path / "out"
    brinery.convert(source, out, max_frames=9, **OPTIONS)
    before = samples(out), failures(out)
    again = brinery.convert(source, out, retry_failed=True, **OPTIONS)
    assert (again.converted, again.unchanged, again.failures) == (5, 4, 3)
    assert (sorted(samples(out)), failures(out)) == (sorted(before[0]), before[1])
    assert brinery.verify(out).bad == ()


@pytest.mark.parametrize("layout", ["shards", "mirror"])
def test_a_mended_member_replaces_its_samples_and_its_failures(tmp_path, layout):
    source = make_folder(tmp_path / "in", {"b.tif": tiff(1, 3), "c.tif": tiff(0)})
    out = tmp_path / "out"
    brinery.convert(source, out, layout=layout, **OPTIONS)
    make_folder(source, {"b.tif": tiff(), "c.tif": tiff(2) + b"\0"})
    again = brinery.convert(source, out, layout=layout, **OPTIONS)
    assert (again.samples, again.failures) == (7, 1)
    assert set(failures(out)) == {"c.tif#2"}
    if layout == "mirror":
        assert not (out / "files" / "c.tif#2.npy").exists()
    make_folder(source, {"b.tif": b"II*\0 no more", "c.tif": tiff()})
    last = brinery.convert(source, out, layout=layout, **OPTIONS)
    assert (last.samples, set(failures(out))) == (4, {"b.tif"})


def test_frames_that_are_lost_go_with_their_member(tmp_path):
    source = make_folder(tmp_path / "in", {"a.tif": tiff(), "b.tif": tiff(1)})
    out = tmp_path / "out"
    brinery.convert(source, out, **OPTIONS)
    (source / "b.tif").unlink()
    kept = brinery.convert(source, out, **OPTIONS)
    assert (kept.gone, kept.failures, kept.exit_code) == (3, 1, 3)
    pruned = brinery.convert(source, out, prune=True, **OPTIONS)
    assert (pruned.pruned, pruned.samples, pruned.failures, pruned.exit_code) == (3, 4, 0, 0)


def test_a_lost_shard_is_made_again_with_its_failures(tmp_path):
    source = make_tar(tmp_path / "in.tar", {"a.tif": tiff(), "b.tif": tiff(1, 3), "c.tif": tiff(0)})
    out = tmp_path / "out"
    brinery.convert(source, out, **OPTIONS)
    before = samples(out), failures(out)
    for shard in (out / "shards").iterdir():
        shard.unlink()
    again = brinery.convert(source, out, **OPTIONS)
    assert (samples(out), failures(out)) == before
    assert again.failures == 3
    assert brinery.verify(out).bad == ()


def test_the_first_frame_is_kept_where_it_alone_is_asked_for(tmp_path):
    source = make_folder(tmp_path / "in", {"a.tif": tiff(1, 2, 3), "b.tif": tiff(0)})
    result = brinery.convert(source, tmp_path / "out", **OPTIONS | {"frames": "first"})
    assert (result.samples, set(failures(tmp_path / "out"))) == (1, {"b.tif"})


def test_a_file_with_the_key_of_a_lost_frame_is_another_one(tmp_path):
    source = make_folder(tmp_path / "in", {"b.tif": tiff(1, 3), "b.tif#1": png(1)})
    out = tmp_path / "out"
    of_frames = [("b.tif#1", "frame 1"), ("b.tif#3", "frame 3")]

    def convert(data=None):
        if data is not None:
            (source / "b.tif#1").write_bytes(data)
        result = brinery.convert(source, out, **OPTIONS)
        found = rows(out, "SELECT key, substr(message, 1, 7) FROM failures ORDER BY key, ordinal")
        return result.converted, result.unchanged, found

    assert convert() == (3, 0, of_frames)
    assert convert() == (0, 3, of_frames)
    assert convert(png(22)) == (1, 2, of_frames)
    assert convert(png(22)[:60])[2][1:2] != of_frames[1:]  # its own failure stands beside that of the frame
    again = convert()
    assert again[:2] == (0, 2)
    assert len(again[2]) == 3
    assert convert(png(3)) == (1, 2, of_frames)


def png(number):
    """A PNG of its own."""
    stream = io.BytesIO()
    Image.fromarray(pixels(number, (9, 7, 3))).save(stream, "PNG")
    return stream.getvalue()
