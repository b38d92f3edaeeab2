"""Datasets that keep images: they decode to what other protocols hold, and give the images back."""

import io
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, features

import brinery
from brinery.cli.info import command as info_command
from brinery.errors import CorruptError, DatasetError, UsageError

from ...images import as_pillow, images, make_folder, make_tar, pixels
from ...images import encoded as image_file
from ..test_convert import contents

FAST = {"workers": 1, "backend": "threading", "fsync": False}


def frames(kind, count=4, size=(20, 14), **options):
    """An image of several frames."""
    made = [Image.fromarray(pixels(index, (size[1], size[0], 3))) for index in range(count)]
    stream = io.BytesIO()
    made[0].save(stream, kind, save_all=True, append_images=made[1:], **options)
    return stream.getvalue()


def turned(data, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return image_file(as_pillow(data), "JPEG", exif=exif)


FILES = {
    **images(3),
    "grey.jpg": image_file(pixels(1, (9, 12)), "JPEG"),
    "progressive.jpg": image_file(pixels(2, (19, 12, 3)), "JPEG", progressive=True),
    "turned.jpg": turned(image_file(pixels(3, (9, 12, 3)), "JPEG"), 6),
    "ink.jpg": image_file(pixels(4, (9, 12, 4)), "TIFF"),
    "clear.png": image_file(pixels(5, (9, 12, 4)), "PNG"),
    "deep.png": image_file(pixels(6, (9, 12), "uint16"), "PNG"),
    "bits.tif": image_file(pixels(7, (9, 12)) > 127, "TIFF"),
    "float.tif": image_file(pixels(8, (9, 12)).astype("f4") / 7, "TIFF"),
    "pages.tif": frames("TIFF"),
    "moving.gif": frames("GIF", loop=0),
    "moving.png": frames("PNG"),
    "moving.webp": frames("WEBP", lossless=True),
    "some.bmp": image_file(pixels(9, (9, 12, 3)), "BMP"),
    "some.ppm": image_file(pixels(9, (9, 12, 3)), "PPM"),
    "some.jp2": image_file(pixels(9, (32, 40, 3)), "JPEG2000"),
    "no.dot/IMG_0001": image_file(pixels(10, (9, 12, 3)), "PNG"),
    "v1.2/a.b.jpg": image_file(pixels(11, (9, 12, 3)), "JPEG"),
    "../up.png": image_file(pixels(12, (9, 12, 3)), "PNG"),
    "broken.jpg": image_file(pixels(13, (64, 64, 3)), "JPEG")[:900],
    "named.png": b"no image",
    "notes.txt": b"words",
}


def convert(source, out, **options):
    return brinery.convert(source, out, **({"protocol": "encoded"} | FAST | options))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_tar(tmp_path_factory.mktemp("source") / "photos.tar", FILES)


@pytest.fixture
def dataset(source, tmp_path):
    convert(source, tmp_path / "out", frames="all")
    return tmp_path / "out"


def change(dataset, statement, *values):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db, db:
        db.execute(statement, values)


SETTINGS = {
    "as stored": {},
    "all frames": {"frames": "all"},
    "rgb and turned": {"mode": "rgb", "orient": True, "frames": "all"},
    "grey, what is damaged too": {"mode": "gray", "salvage": True},
}


@pytest.mark.parametrize("layout", ["shards", "mirror"])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_arrays_are_those_of_npy(source, tmp_path, settings, layout):
    other = convert(source, tmp_path / "npy", protocol="npy", layout=layout, **settings)
    result = convert(source, tmp_path / "out", layout=layout, **settings)
    assert (result.samples, result.failures) == (other.samples, other.failures)
    with brinery.open(tmp_path / "npy") as arrays:
        for options in ({}, {"verify": True}):
            with brinery.open(tmp_path / "out", **options) as dataset:
                assert list(dataset.keys) == list(arrays.keys)
                for each in (list(dataset), dataset[:], [dataset[key] for key in dataset.keys]):
                    assert not any(array.flags.writeable for array in each)
                    for one, two in zip(each, arrays, strict=True):
                        np.testing.assert_array_equal(one, two, strict=True)
                backwards = [dataset[index] for index in reversed(range(len(dataset)))]
                for one, two in zip(reversed(backwards), arrays, strict=True):
                    np.testing.assert_array_equal(one, two, strict=True)
                for index, key in enumerate(dataset.keys):
                    assert dataset.encoded(index) == dataset.encoded(key) == FILES[key.partition("#")[0]]
    assert brinery.verify(tmp_path / "out", workers=1, backend="threading").exit_code == 0


def test_a_shard_holds_each_image_once_under_its_key(dataset):
    (shard,) = (dataset / "shards").iterdir()
    with tarfile.open(shard) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive}
    assert members["moving.gif"] == FILES["moving.gif"]
    assert members["no.dot/IMG_0001%.png"] == FILES["no.dot/IMG_0001"]
    assert members["v1.2/a%2Eb.jpg"] == FILES["v1.2/a.b.jpg"]
    assert members["%2E%2E/up.png"] == FILES["../up.png"]
    with brinery.open(dataset) as opened:
        assert len(members) == len({key.partition("#")[0] for key in opened.keys}) < len(opened)


def test_layout_mirror_is_a_copy_of_the_images(source, tmp_path):
    convert(source, tmp_path / "out", layout="mirror", frames="all")
    files = tmp_path / "out" / "files"
    found = {str(path.relative_to(files)): path.read_bytes() for path in files.rglob("*") if path.is_file()}
    kept = FILES.keys() - {"broken.jpg", "named.png", "notes.txt", "../up.png"}
    assert found == {key: FILES[key] for key in kept}


def test_a_place_in_the_manifest_is_exactly_an_image(dataset):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        rows = db.execute(
            "SELECT COALESCE(member, key), name, start, length FROM samples JOIN shards ON shards.id = shard"
        ).fetchall()
    for member, name, start, length in rows:
        assert (dataset / "shards" / name).read_bytes()[start : start + length] == FILES[member]


def test_images_that_are_not_checked_are_decoded_when_they_are_read(source, tmp_path):
    result = convert(source, tmp_path / "out", check=False)
    assert (result.failures, result.skipped) == (1, 1)  # what has no image's signature
    with brinery.open(tmp_path / "out") as dataset:
        for key in set(dataset.keys) - {"broken.jpg", "turned.jpg"}:
            if key in {"deep.png", "clear.png"} or key.endswith(".jpg"):
                np.testing.assert_array_equal(dataset[key], as_pillow(FILES[key]), strict=True)
        with pytest.raises(CorruptError, match=r"broken\.jpg.*damaged JPEG"):
            dataset["broken.jpg"]
        assert dataset.encoded("broken.jpg") == FILES["broken.jpg"]
    found = brinery.verify(tmp_path / "out", workers=1, backend="threading")
    assert [bad.key for bad in found.bad] == ["broken.jpg"]
    shown = CliRunner().invoke(info_command, [str(tmp_path / "out")]).output
    assert f"not decoded: {result.samples}" in shown
    assert "MB/s of encoded images" in shown
    assert result.summary.traffic[0] > 0
    assert result.summary.traffic[1] == "encoded images"


def test_what_is_not_decoded_has_one_frame_and_a_protocol_that_keeps_it(source, tmp_path):
    with pytest.raises(UsageError, match="frames first"):
        convert(source, tmp_path / "out", check=False, frames="all")
    with pytest.raises(UsageError, match="only the protocol encoded"):
        convert(source, tmp_path / "out", protocol="npy", check=False)
    assert not (tmp_path / "out").exists()


def test_other_protocols_have_no_images(source, tmp_path):
    convert(source, tmp_path / "out", protocol="npy")
    with brinery.open(tmp_path / "out") as dataset, pytest.raises(UsageError, match='protocol="encoded"'):
        dataset.encoded(0)
    with pytest.raises(UsageError, match="format source is for encoded"):
        brinery.restore(tmp_path / "out", tmp_path / "again", format="source")
    assert not (tmp_path / "again").exists()


def test_restoring_the_source_gives_the_same_files(dataset, tmp_path):
    result = brinery.restore(dataset, tmp_path / "again", format="source", workers=1, backend="threading")
    assert [bad.key for bad in result.failures] == ["../up.png"]
    files = [path for path in (tmp_path / "again").rglob("*") if path.is_file()]
    assert result.images == len(files)
    for path in files:
        assert path.read_bytes() == FILES[str(path.relative_to(tmp_path / "again"))]


def test_a_flipped_bit_is_damage_of_its_image_and_repaired(dataset, source):
    with closing(sqlite3.connect(dataset / "manifest.sqlite")) as db:
        find = "SELECT start, length FROM samples WHERE key = 'moving.gif'"
        start, length = db.execute(find).fetchone()
    (shard,) = (dataset / "shards").iterdir()
    data = bytearray(shard.read_bytes())
    data[start + length - 2] ^= 1
    shard.write_bytes(data)
    found = brinery.verify(dataset, workers=1, backend="threading")
    assert {bad.key.partition("#")[0] for bad in found.bad} == {"moving.gif"}
    assert {bad.reason for bad in found.bad} == {"its bytes do not give the checksum that was recorded"}
    convert(source, dataset, frames="all", repair=True)
    assert brinery.verify(dataset, workers=1, backend="threading").exit_code == 0


def test_another_decoder_is_told_from_damage(dataset):
    change(dataset, "UPDATE samples SET xxh3 = '0123456789abcdef' WHERE key = 'some.bmp'")
    (bad,) = brinery.verify(dataset, workers=1, backend="threading").bad
    assert (bad.key, "the decoder has changed" in bad.reason) == ("some.bmp", True)


def test_a_bomb_in_an_images_place_is_refused_before_it_is_decoded(source, tmp_path):
    convert(source, tmp_path / "out")
    bomb = image_file(np.zeros((9000, 9000), np.uint8), "PNG")
    path = tmp_path / "out" / "shards" / "bomb.tar"
    path.write_bytes(bomb)
    change(
        tmp_path / "out",
        "UPDATE shards SET name = 'bomb.tar', file_bytes = ?",
        len(bomb),
    )
    change(tmp_path / "out", "UPDATE samples SET start = 0, length = ?", len(bomb))
    with brinery.open(tmp_path / "out") as dataset, pytest.raises(CorruptError, match="81,000,000 pixels"):
        dataset["some.bmp"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "cmyk"), ("orient", "perhaps"), ("max_pixels", "-1"), ("max_frames", "9" * 30)],
)
def test_settings_that_make_no_sense_are_refused(dataset, name, value):
    change(dataset, "UPDATE dataset SET value = ? WHERE name = ?", value, name)
    with pytest.raises(DatasetError, match=r"how its images are decoded|no number"):
        brinery.open(dataset)


def test_limits_that_a_convert_raised_hold_for_reading(tmp_path):
    large = make_folder(tmp_path / "in", {"a.png": image_file(pixels(1, (40, 50, 3)), "PNG")})
    assert convert(large, tmp_path / "out", max_pixels=1999).failures == 1
    assert convert(large, tmp_path / "out", max_pixels=2000, retry_failed=True).failures == 0
    convert(large, tmp_path / "out", max_pixels=10)
    with brinery.open(tmp_path / "out") as dataset:
        assert dataset[0].shape == (40, 50, 3)


def test_an_image_that_changes_is_copied_again(tmp_path):
    folder = make_folder(tmp_path / "in", images(4))
    for layout in ("shards", "mirror"):
        convert(folder, tmp_path / layout, layout=layout)
    new = images(1, start=9)["set0/0009.jpg"]
    (folder / "set0" / "0000.jpg").write_bytes(new)
    (folder / "set1" / "0001.jpg").unlink()
    for layout in ("shards", "mirror"):
        convert(folder, tmp_path / layout, layout=layout, prune=True)
        with brinery.open(tmp_path / layout, verify=True) as dataset:
            assert sorted(dataset.keys) == ["set0/0000.jpg", "set0/0003.jpg", "set2/0002.jpg"]
            assert dataset.encoded("set0/0000.jpg") == new
            np.testing.assert_array_equal(dataset["set0/0000.jpg"], as_pillow(new))
    assert not (tmp_path / "mirror" / "files" / "set1" / "0001.jpg").exists()


def test_a_run_that_is_interrupted_goes_on_and_ends_with_the_same_bytes(tmp_path):
    def interrupt(now):
        if now.images:
            raise KeyboardInterrupt

    folder = make_folder(tmp_path / "in", images(60) | {"moving.gif": FILES["moving.gif"]})
    for layout in ("shards", "mirror"):
        options = {"shard_size": "64KiB", "frames": "all", "layout": layout}
        convert(folder, tmp_path / f"whole-{layout}", **options)
        out = tmp_path / f"out-{layout}"
        with pytest.raises(KeyboardInterrupt):
            convert(folder, out, progress=interrupt, **options)
        result = convert(folder, out, **options)
        assert 0 < result.converted < result.samples == 64
        assert contents(out) == contents(tmp_path / f"whole-{layout}")


FORKED = """
import os, signal, sys
import brinery

dataset = brinery.open(sys.argv[1])
dataset["moving.avif"], dataset["moving.avif#1"]  # whose decoder stays, for the frames that follow
if not os.fork():
    signal.alarm(30)
    dataset["moving.gif#2"], dataset["moving.avif#2"]
    os._exit(0)
sys.exit(os.wait()[1] != 0)
"""


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_frames_are_decoded_on_both_sides_of_a_fork(tmp_path):
    files = {"moving.avif": frames("AVIF", size=(64, 64)), "moving.gif": FILES["moving.gif"]}
    convert(make_folder(tmp_path / "in", files), tmp_path / "out", frames="all")
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(tmp_path / "out")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0


def test_a_copy_travels_to_other_processes(dataset, tmp_path):
    import pickle

    shutil.copytree(dataset, tmp_path / "copy")
    with brinery.open(tmp_path / "copy") as opened:
        again = pickle.loads(pickle.dumps(opened))
    assert again.encoded("some.bmp") == FILES["some.bmp"]
    np.testing.assert_array_equal(again["some.bmp"], as_pillow(FILES["some.bmp"]))
    again.close()
