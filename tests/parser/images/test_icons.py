"""Icons and cursors give their largest image."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.images.icons import largest

from ..samples import encoded, smooth
from .formats import native


def icon(*images, code=1):
    """An ICO, or a CUR (2), of files; the directory says what they say."""
    entries, body = b"", b""
    for size, depth, data in images:
        place = 6 + 16 * len(images) + len(body)
        entries += struct.pack("<4B2H2I", size % 256, size % 256, 0, 0, 1, depth, len(data), place)
        body += data
    return struct.pack("<3H", 0, code, len(images)) + entries + body


def bitmap(values):
    """A 32-bit bitmap of an icon (H, W, 4), with its mask."""
    height, width = values.shape[:2]
    header = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, 32, 0, 0, 0, 0, 0, 0)
    mask = bytes(-(-width // 32) * 4 * height)
    return header + values[::-1, :, [2, 1, 0, 3]].tobytes() + mask


SMALL, LARGE = smooth(16, 16, 4), smooth(32, 32, 4)


@pytest.mark.parametrize("code", [1, 2], ids=["icon", "cursor"])
@pytest.mark.parametrize("file", [bitmap, lambda values: encoded(values, "PNG")], ids=["bitmaps", "PNGs"])
def test_the_largest_image_is_taken(code, file):
    depth = 32 if code == 1 else 7  # a cursor has its hot spot there
    data = icon((16, depth, file(SMALL)), (32, depth, file(LARGE)), (16, depth, file(SMALL)), code=code)
    assert np.array_equal(native(data), LARGE)
    with pytest.raises(DecodeError, match="32 x 32 are 1,024 pixels; the budget is 1,023"):
        native(data, max_pixels=1023)


def test_icons_are_pillows():
    for options in ({}, {"bitmap_format": "bmp"}):
        data = encoded(Image.fromarray(smooth(48, 48, 4)), "ICO", **options)
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(native(data), np.asarray(image))


def test_an_icon_of_the_macintosh():
    data = encoded(Image.fromarray(smooth(64, 64, 4)), "ICNS")
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert np.array_equal(native(data), np.asarray(image))
    pixels = smooth(16, 16)
    old = b"is32" + struct.pack(">I", 8 + 768) + pixels.tobytes()
    data = b"icns" + struct.pack(">I", 8 + len(old)) + old
    assert np.array_equal(native(data)[..., :3], pixels)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            struct.pack("<3H", 0, 1, 65535) + bytes([16, 16, 0, 0, 1, 0, 32, 0]) * 99999,
            "65,535 images in one icon",
        ),
        (icon((16, 32, bitmap(SMALL)))[:30], "outside of the file"),
        (b"icns\0\0\0\x18none\0\0\0\x10", "without an image of the kinds that are read"),
        (b"icns\0\0\1\0abcd\0\0\0\1" + bytes(99), "blocks that make no sense"),
    ],
)
def test_broken_icons_say_what_is_wrong(data, says):
    with pytest.raises(DecodeError, match=says):
        native(data)


def test_of_equals_the_one_of_fewest_colours_is_taken_as_a_file_of_its_own():
    other = smooth(16, 16, 4, seed=1)
    data = icon((16, 32, bitmap(SMALL)), (16, 8, bitmap(other)))
    picture = largest(data, "ICO")
    assert (picture.kind, picture.data[:6]) == ("ICO", b"\0\0\1\0\1\0")
    assert np.array_equal(native(picture.data), other)
    files = [encoded(pixels, "PNG") for pixels in (SMALL, LARGE)]
    data = icon((32, 32, files[1]), (16, 32, files[0]), code=2)
    assert largest(data, "CUR").kind == "PNG"
    assert largest(data, "CUR").data.startswith(files[1])


def test_a_size_of_zero_stands_for_256():
    wide = encoded(smooth(256, 256, 4), "PNG")
    data = icon((128, 32, encoded(smooth(128, 128, 4), "PNG")), (256, 32, wide))
    assert largest(data, "ICO").data == wide
