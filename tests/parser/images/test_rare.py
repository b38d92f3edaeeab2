"""Rare formats that Pillow reads: its pixels, or a reason."""

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
