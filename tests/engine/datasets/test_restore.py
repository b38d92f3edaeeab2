"""Arrays become image files again."""

import io
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import brinery
from brinery.engine.datasets.restore import encode as encode_array
from brinery.errors import DestinationError, MemberError, UsageError

from ...images import as_pillow, encoded, images, make_folder, make_tar, pixels

FAST = {"workers": 1, "backend": "threading", "fsync": False}


@pytest.fixture
def dataset(tmp_path):
    files = images(12) | {
        "gray.png": encoded(pixels(1, (9, 5)), "PNG"),
        "deep.png": encoded(pixels(2, (9, 5), "uint16"), "PNG"),
        "clear.png": encoded(pixels(3, (9, 5, 4)), "PNG"),
    }
    brinery.convert(make_folder(tmp_path / "in", files), tmp_path / "out", **FAST)
    return tmp_path / "out", files


@pytest.mark.parametrize("image_format", ["png", "tiff"])
def test_png_and_tiff_lose_nothing(dataset, tmp_path, image_format):
    path, files = dataset
    result = brinery.restore(path, tmp_path / "again", format=image_format, workers=1)
    assert (result.images, result.failures) == (len(files), ())
    for name, data in files.items():
        suffix = "" if name.endswith(".png") and image_format == "png" else f".{image_format[:3]}"
        restored = np.asarray(Image.open(tmp_path / "again" / f"{name}{suffix.replace('.tif', '.tif')}"))
        np.testing.assert_array_equal(restored, as_pillow(data))


def test_jpeg_says_what_it_cannot_hold(dataset, tmp_path):
    path, files = dataset
    result = brinery.restore(path, tmp_path / "again", format="jpeg", quality=90, workers=1)
    assert {failure.key for failure in result.failures} == {"deep.png", "clear.png"}
    assert (result.images, result.exit_code) == (len(files) - 2, 3)
    name = "set0/0000.jpg"
    error = np.asarray(Image.open(tmp_path / "again" / name)).astype(int) - as_pillow(files[name])
    assert np.abs(error).mean() < 8


def four_channels():
    """Ink, light and transparency: the same bytes with three meanings."""
    array = pixels(5, (9, 5, 4))
    return {
        "ink.tif": encode(Image.fromarray(array, "CMYK"), "TIFF"),
        "ink.jpg": encode(Image.fromarray(array, "CMYK"), "JPEG"),
        "lab.tif": encode(Image.fromarray(pixels(6, (9, 5, 3)), "LAB"), "TIFF"),
        "clear.png": encode(Image.fromarray(array, "RGBA"), "PNG"),
    }


def encode(image, image_format):
    stream = io.BytesIO()
    image.save(stream, image_format)
    return stream.getvalue()


def test_four_channels_keep_their_meaning(tmp_path):
    files = four_channels()
    brinery.convert(make_folder(tmp_path / "in", files), tmp_path / "out", **FAST)
    assert brinery.restore(tmp_path / "out", tmp_path / "tiff", format="tiff", workers=1).images == 4
    modes = {path.name: Image.open(path).mode for path in (tmp_path / "tiff").iterdir()}
    assert modes == {"ink.tif": "CMYK", "ink.jpg.tif": "CMYK", "lab.tif": "LAB", "clear.png.tif": "RGBA"}
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "tiff" / "lab.tif")), as_pillow(files["lab.tif"])
    )
    result = brinery.restore(tmp_path / "out", tmp_path / "png", format="png", workers=1)
    assert {failure.key: failure.reason for failure in result.failures} == {
        "ink.jpg": "png holds no CMYK image without loss",
        "ink.tif": "png holds no CMYK image without loss",
        "lab.tif": "png holds no LAB image without loss",
    }


def test_a_channel_of_no_meaning_does_not_become_alpha(tmp_path):
    array = pixels(5, (9, 5, 4))
    folder = make_folder(tmp_path / "in", {"x.tif": encode(Image.fromarray(array, "RGBX"), "TIFF")})
    brinery.convert(folder, tmp_path / "out", **FAST)
    with brinery.open(tmp_path / "out") as dataset:
        np.testing.assert_array_equal(dataset["x.tif"], array)
    (failure,) = brinery.restore(tmp_path / "out", tmp_path / "png", format="png", workers=1).failures
    assert failure.reason == "png holds no RGBX image without loss"
    assert brinery.restore(tmp_path / "out", tmp_path / "back", format="tiff", workers=1).images == 1
    assert brinery.convert(tmp_path / "back", tmp_path / "again", **FAST).converted == 1
    with brinery.open(tmp_path / "again") as dataset:
        np.testing.assert_array_equal(dataset["x.tif"], array)


def test_a_dataset_from_before_colours_were_recorded(tmp_path):
    folder = make_folder(tmp_path / "in", four_channels())
    brinery.convert(folder, tmp_path / "out", **FAST)
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as db:
        db.execute("ALTER TABLE samples DROP COLUMN colours")
    assert brinery.restore(tmp_path / "out", tmp_path / "back", format="tiff", workers=1).images == 4
    make_folder(folder, {"more.jpg": four_channels()["ink.jpg"]})
    assert brinery.convert(folder, tmp_path / "out", **FAST).converted == 1
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as db:
        named = dict(db.execute("SELECT key, colours FROM samples WHERE colours IS NOT NULL"))
    assert named == {"more.jpg": "CMYK"}


def test_names_never_lead_outside(tmp_path):
    from ...images import jpeg, make_tar

    tar = make_tar(tmp_path / "in.tar", {"../evil.jpg": jpeg(1), "good.jpg": jpeg(2)})
    brinery.convert(tar, tmp_path / "out", **FAST)
    result = brinery.restore(tmp_path / "out", tmp_path / "again", format="png", workers=1)
    assert [failure.key for failure in result.failures] == ["../evil.jpg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "in.tar", "out"]


def test_a_folder_that_is_not_empty_is_refused(dataset, tmp_path):
    path, _ = dataset
    with pytest.raises(DestinationError, match="not empty"):
        brinery.restore(path, tmp_path / "in")


def test_options_are_checked(dataset, tmp_path):
    path, _ = dataset
    with pytest.raises(UsageError, match="format"):
        brinery.restore(path, tmp_path / "again", format="bmp")
    with pytest.raises(UsageError, match="quality"):
        brinery.restore(path, tmp_path / "again", format="png", quality=50)


def outcome(dataset, out, image_format, workers=1):
    """Reasons by key, and the sizes of the files that are there."""
    result = brinery.restore(dataset, out, format=image_format, workers=workers)
    assert result.exit_code == (3 if result.failures else 0)
    sizes = {str(path.relative_to(out)): path.stat().st_size for path in out.rglob("*") if path.is_file()}
    assert len(sizes) == result.images
    assert 0 not in sizes.values()
    return {failure.key: failure.reason for failure in result.failures}, sizes


@pytest.mark.parametrize(("image_format", "limit"), [("webp", 16_383), ("jpeg", 65_500)])
def test_an_image_that_is_too_large_for_the_format_costs_itself(tmp_path, image_format, limit):
    files = {
        "a.png": encoded(pixels(1, (2, limit + 1, 3)), "PNG"),
        "b.png": encoded(pixels(2, (limit + 1, 2, 3)), "PNG"),
        "c.png": encoded(pixels(3, (2, limit, 3)), "PNG"),
        "d.png": encoded(pixels(4, (8, 8, 3)), "PNG"),
    }
    brinery.convert(make_folder(tmp_path / "in", files), tmp_path / "out", **FAST)
    reasons, sizes = outcome(tmp_path / "out", tmp_path / "back", image_format)
    suffix = ".webp" if image_format == "webp" else ".jpg"
    assert set(sizes) == {f"c.png{suffix}", f"d.png{suffix}"}
    assert reasons == {
        "a.png": f"{image_format} holds at most {limit:,} pixels a side, the image has {limit + 1:,} x 2:"
        " png and tiff hold it",
        "b.png": f"{image_format} holds at most {limit:,} pixels a side, the image has 2 x {limit + 1:,}:"
        " png and tiff hold it",
    }


HELD = {  # what a format holds, by shape and dtype
    ((4, 5), "uint8"): {"png", "jpeg", "tiff"},
    ((4, 5, 1), "uint8"): {"png", "jpeg", "tiff"},
    ((4, 5, 2), "uint8"): {"png", "tiff"},
    ((4, 5, 3), "uint8"): {"png", "jpeg", "webp", "tiff"},
    ((4, 5, 4), "uint8"): {"png", "webp", "tiff"},
    ((4, 5, 5), "uint8"): set(),
    ((4, 5), "uint16"): {"png", "tiff"},
    ((4, 5), ">u2"): {"png", "tiff"},
    ((4, 5, 3), "uint16"): set(),
    ((4, 5), "int32"): {"tiff"},
    ((4, 5), ">i4"): {"tiff"},
    ((4, 5), "float32"): {"tiff"},
    ((4, 5), ">f4"): {"tiff"},
    ((4, 5), "uint32"): set(),
    ((4, 5), "float64"): set(),
    ((4, 5), "bool"): set(),
    ((4,), "uint8"): set(),
    ((), "uint8"): set(),
    ((2, 4, 5, 3), "uint8"): set(),
    ((0, 5), "uint8"): set(),
    ((4, 0, 3), "uint8"): set(),
}


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize(("shape", "dtype"), list(HELD))
def test_what_a_format_holds_comes_back_and_all_else_says_so(shape, dtype, image_format):
    array = (np.arange(np.prod(shape, dtype=int)) * 3).reshape(shape).astype(dtype)
    if image_format not in HELD[shape, dtype]:
        with pytest.raises(MemberError, match=r"holds no .* without loss|without pixels"):
            encode_array(array, image_format)
        return
    image = Image.open(io.BytesIO(encode_array(array, image_format)))
    assert image.size == (5, 4)
    if image_format in ("png", "tiff"):
        np.testing.assert_array_equal(np.asarray(image), array.reshape(np.asarray(image).shape))


def test_names_that_no_file_can_have_cost_themselves(tmp_path):
    keys = ["ok.jpg", "n" * 252 + ".png", "twin.png", "twin.png.jpg", "dir", "dir/below.jpg"]
    tar = make_tar(tmp_path / "in.tar", {key: encoded(pixels(1, (8, 8, 3)), "PNG") for key in keys})
    brinery.convert(tar, tmp_path / "out", **FAST)
    reasons, sizes = outcome(tmp_path / "out", tmp_path / "back", "jpeg")
    assert reasons == {
        keys[1]: "its name cannot be a file in the destination: File name too long",
        "twin.png.jpg": "another sample's file has the same name",
    }
    assert set(sizes) == {"ok.jpg", "twin.png.jpg", "dir.jpg", "dir/below.jpg"}


def test_damaged_pixels_do_not_become_an_image(tmp_path):
    brinery.convert(make_folder(tmp_path / "in", images(4)), tmp_path / "out", **FAST)
    (shard,) = (tmp_path / "out/shards").iterdir()
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    reasons, sizes = outcome(tmp_path / "out", tmp_path / "back", "png")
    assert len(sizes) == 3
    assert [*reasons.values()] == ["its bytes do not give the checksum that was recorded"]


@pytest.mark.parametrize("place", ["shards/back", "back", "."])
def test_the_dataset_keeps_its_folder_to_itself(dataset, tmp_path, place):
    path, _ = dataset
    before = sorted(path.rglob("*"))
    (tmp_path / "link").symlink_to(path)
    for folder in (path, tmp_path / "link"):
        with pytest.raises(DestinationError, match="lies inside the dataset"):
            brinery.restore(path, folder / place, workers=1)
    assert sorted(path.rglob("*")) == before


def test_a_full_disk_ends_it_and_leaves_no_part_of_a_file(dataset, tmp_path):
    path, _ = dataset
    code = (
        "import resource, signal, sys, brinery;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        "from brinery.engine.datasets.restore import restore_stretch;"
        "from brinery.engine.datasets.stretches import Stretch;"
        "from brinery.engine.manifest.reader import Catalog; from pathlib import Path;"
        "path, out = map(Path, sys.argv[1:]);"
        "print(restore_stretch(path, out, 'tiff', None, Stretch(Catalog(path).shards.ids)).fatal)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path, tmp_path / "back"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"cannot write into {tmp_path / 'back'}: File too large"
    assert all(0 < file.stat().st_size < 2000 for file in (tmp_path / "back").rglob("*.*") if file.is_file())
