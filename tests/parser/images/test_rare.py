"""Rare formats that Pillow reads: its pixels, or a reason; icons give their largest image."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth

RGB = Image.fromarray(smooth(20, 30))
RGBA = Image.fromarray(smooth(20, 30, 4), "RGBA")
GREY = Image.fromarray(smooth(20, 30, 1))
BITS = GREY.point(lambda value: 255 * (value > 99)).convert("1")


def frames(data, **options):
    return list(decode(data, DecodeOptions(**options)))


def first(data, **options):
    return frames(data, **options)[0].array


WRITTEN = {
    "TGA, colour": (encoded(RGB, "TGA"), np.asarray(RGB)),
    "TGA, run lengths": (encoded(RGB, "TGA", rle=True), np.asarray(RGB)),
    "TGA, alpha": (encoded(RGBA, "TGA"), np.asarray(RGBA)),
    "TGA, grey": (encoded(GREY, "TGA"), np.asarray(GREY)),
    "TGA, palette": (encoded(RGB.quantize(9), "TGA"), np.asarray(RGB.quantize(9).convert("RGB"))),
    "XBM": (encoded(BITS, "XBM"), np.asarray(BITS) * np.uint8(255)),
    "MSP": (encoded(BITS, "MSP"), np.asarray(BITS) * np.uint8(255)),
    "SPIDER": (encoded(GREY.convert("F"), "SPIDER"), np.asarray(GREY.convert("F"))),
}


@pytest.mark.parametrize(("data", "expected"), WRITTEN.values(), ids=WRITTEN)
def test_what_pillow_writes_comes_back(data, expected):
    array = first(data)
    assert array.dtype == expected.dtype
    assert np.array_equal(array, expected)
    with pytest.raises(DecodeError, match="are 600 pixels; the budget is 599"):
        first(data, max_pixels=599)


@pytest.mark.parametrize("flags", [0x00, 0x10, 0x20, 0x30])
def test_a_tga_may_begin_in_any_corner(flags):
    values = smooth(5, 4)
    header = struct.pack("<3B2HB4H2B", 0, 0, 2, 0, 0, 0, 0, 0, 4, 5, 24, flags)
    stored = values[:: 1 if flags & 0x20 else -1, :: -1 if flags & 0x10 else 1, ::-1]
    assert np.array_equal(first(header + stored.tobytes()), values)


XPM = b"""/* XPM */
static char *a[] = {
"3 2 3 1",
"a c #102030",
"b m white c #FFFFFF",
". c None",
"ab.",
"b.a"
};
"""


def test_an_xpm_comes_in_its_colours():
    blue, white, nothing = [16, 32, 48, 255], [255, 255, 255, 255], [0, 0, 0, 0]
    assert first(XPM).tolist() == [[blue, white, nothing], [white, nothing, blue]]


@pytest.mark.parametrize("colour", [b"red", b"#123", b"#111122223333"])
def test_an_xpm_with_colours_that_pillow_would_cut_is_refused(colour):
    with pytest.raises(DecodeError, match="XPM whose colours are not all #RRGGBB or None"):
        first(XPM.replace(b"#102030", colour))


def test_an_x10_bitmap_is_refused():
    data = encoded(BITS, "XBM").replace(b"static char", b"static short")
    with pytest.raises(DecodeError, match="X10 bitmap of 16-bit words"):
        first(data)


def flic(*frames):
    """An animation of 4 x 2 pixels: each frame a palette, or None, and one byte for all pixels."""
    chunks = []
    for palette, value in frames:
        parts = [struct.pack("<IH", 6 + 8, 16) + bytes([value]) * 8]
        if palette is not None:
            colours = struct.pack("<H2B", 1, 0, 0) + palette * 256
            parts.insert(0, struct.pack("<IH", 6 + len(colours), 4) + colours)
        body = b"".join(parts)
        chunks.append(struct.pack("<IHH8x", 16 + len(body), 0xF1FA, len(parts)) + body)
    body = b"".join(chunks)
    header = struct.pack("<IHHHHHHI", 128 + len(body), 0xAF12, len(frames), 4, 2, 8, 3, 10)
    return header.ljust(128, b"\0") + body


def test_a_flic_gives_its_first_frame_or_all():
    data = flic((b"\x0a\x14\x1e", 1), (None, 2))
    (one,) = frames(data)
    assert (one.array.shape, one.frames) == ((2, 4, 3), 2)
    assert one.array[0, 0].tolist() == [10, 20, 30]
    assert len(frames(data, frames="all")) == 2


def test_later_frames_of_a_flic_with_palettes_of_their_own_are_refused():
    data = flic((b"\x0a\x14\x1e", 1), (b"\1\2\3", 1))
    assert first(data)[0, 0].tolist() == [10, 20, 30]
    one, lost = frames(data, frames="all")
    assert one.frame == 0
    assert lost[:2] == (1, 1)
    assert "FLI whose frames have 2 palettes" in str(lost.error)


def test_a_dcx_holds_pages():
    pages = [encoded(Image.fromarray(smooth(20, 30, seed=seed)), "PCX") for seed in range(2)]
    offsets = [16, 16 + len(pages[0])]
    data = struct.pack("<4I", 0x3ADE68B1, *offsets, 0) + b"".join(pages)
    every = frames(data, frames="all")
    assert [(page.frame, page.frames) for page in every] == [(0, 2), (1, 2)]
    assert np.array_equal(every[1].array, smooth(20, 30, seed=1))


def sgi(*rows):
    """A grey SGI image of 4 pixels a row, of run lengths, the lowest row first."""
    header = struct.pack(">hBB4HII", 474, 1, 1, 2, 4, len(rows), 1, 0, 255).ljust(512, b"\0")
    begin = 512 + 8 * len(rows)
    starts = [begin + sum(map(len, rows[:row])) for row in range(len(rows))]
    table = struct.pack(f">{2 * len(rows)}I", *starts, *map(len, rows))
    return header + table + b"".join(rows)


def test_rows_of_an_sgi_image_that_end_early_are_damage():
    assert first(sgi(b"\x04\7\0", b"\x83\1\2\3\1\0\0")).tolist() == [[1, 2, 3, 0], [7, 7, 7, 7]]
    short = sgi(b"\x02\7\0", b"\x04\5\0")
    with pytest.raises(DecodeError, match="damaged SGI: truncated: 2 of 4 pixels of a row are there"):
        first(short)
    (one,) = frames(short, salvage=True)
    assert one.salvaged


# Icons.


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
    assert np.array_equal(first(data), LARGE)
    with pytest.raises(DecodeError, match="32 x 32 are 1,024 pixels; the budget is 1,023"):
        first(data, max_pixels=1023)


def test_icons_are_pillows():
    for options in ({}, {"bitmap_format": "bmp"}):
        data = encoded(Image.fromarray(smooth(48, 48, 4)), "ICO", **options)
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(first(data), np.asarray(image))


def test_an_icon_of_the_macintosh():
    data = encoded(Image.fromarray(smooth(64, 64, 4)), "ICNS")
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert np.array_equal(first(data), np.asarray(image))
    pixels = smooth(16, 16)
    old = b"is32" + struct.pack(">I", 8 + 768) + pixels.tobytes()
    data = b"icns" + struct.pack(">I", 8 + len(old)) + old
    assert np.array_equal(first(data)[..., :3], pixels)


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
        first(data)
