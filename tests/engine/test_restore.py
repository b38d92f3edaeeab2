"""Arrays become image files again."""

import io
import sqlite3

import numpy as np
import pytest
from PIL import Image

import brinery
from brinery.errors import DestinationError, UsageError

from ..images import as_pillow, encoded, images, make_folder, pixels

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
    from ..images import jpeg, make_tar

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
