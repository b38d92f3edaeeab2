"""PNGs whose chunks are damaged, missing, too many or bombs."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.pixels import LostFrames
from brinery.parser.options import DecodeOptions

from ...images import png_chunk
from ..samples import encoded, smooth

PIXELS = smooth(40, 50)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def header(width=50, height=40, depth=8, colour=2, interlaced=0):
    return png_chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, 0, 0, interlaced))


ROWS = b"".join(b"\0" + row.tobytes() for row in PIXELS)
PACKED = zlib.compress(ROWS)
END = png_chunk(b"IEND", b"")
IDAT = png_chunk(b"IDAT", PACKED)


def file(*chunks, head=None):
    return SIGNATURE + (header() if head is None else head) + b"".join(chunks)


def first(data, **options):
    return next(iter(decode(data, DecodeOptions(**options))))


BOMB = zlib.compress(bytes(8 << 20))
HARMLESS = {
    "plain": file(IDAT, END),
    "bytes behind the end": file(IDAT, END) + b"appended",
    "a text with a wrong checksum": file(png_chunk(b"tEXt", b"a\0b", 5), IDAT, END),
    "a text between pixels": file(
        png_chunk(b"IDAT", PACKED[:99]), png_chunk(b"tEXt", b"a\0b"), png_chunk(b"IDAT", PACKED[99:]), END
    ),
    "a text that is a bomb": file(png_chunk(b"zTXt", b"a\0\0" + BOMB), IDAT, END),
    "an international text that is a bomb": file(png_chunk(b"iTXt", b"a\0\1\0\0\0" + BOMB), IDAT, END),
    "a profile that is a bomb": file(png_chunk(b"iCCP", b"a\0\0" + BOMB), IDAT, END),
    "EXIF that is a bomb": file(png_chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB), IDAT, END),
    "thousands of texts": file(png_chunk(b"tEXt", b"a\0b") * 5000, IDAT, END),
    "empty pixel chunks": file(png_chunk(b"IDAT", b"") * 9, IDAT, png_chunk(b"IDAT", b""), END),
    "more rows than the image has": file(png_chunk(b"IDAT", zlib.compress(ROWS + ROWS[:302])), END),
    "bytes behind the compressed pixels": file(png_chunk(b"IDAT", PACKED + b"more"), END),
    "a physical size that is none": file(png_chunk(b"pHYs", b"\0"), IDAT, END),
}


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_no_pixel_stays_a_sample(data):
    decoded = first(data)
    assert np.array_equal(decoded.array, PIXELS)
    assert not decoded.salvaged


DAMAGED = {
    "a wrong checksum": (file(png_chunk(b"IDAT", PACKED, 7), END), "wrong checksum in its chunk IDAT"),
    "a wrong checksum of the header": (
        file(IDAT, END, head=header()[:-4] + b"abcd"),
        "wrong checksum in its chunk IHDR",
    ),
    "a changed byte": (
        file(IDAT[:99] + bytes([IDAT[99] ^ 1]) + IDAT[100:], END),
        "wrong checksum in its chunk IDAT",
    ),
    "cut in its pixels": (file(IDAT)[:-60], "truncated in its chunk IDAT"),
    "cut behind its pixels": (file(IDAT), "truncated: its end is missing"),
    "cut in its end": (file(IDAT, END)[:-1], "truncated in its chunk IEND"),
    "rows that are missing": (
        file(png_chunk(b"IDAT", zlib.compress(ROWS[:-302])), END),
        "truncated: 5,738 of 6,040 bytes of pixels are there",
    ),
    "pixels that end early": (file(png_chunk(b"IDAT", PACKED[:400]), END), "truncated"),
    "a wrong sum of the pixels": (
        file(png_chunk(b"IDAT", PACKED[:-4] + b"abcd"), END),
        "its compressed pixels are broken",
    ),
}


@pytest.mark.parametrize(("data", "says"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_a_failure_and_can_be_salvaged(data, says):
    with pytest.raises(DecodeError, match=says):
        first(data)
    decoded = first(data, salvage=True)
    assert decoded.salvaged
    assert decoded.array.shape == PIXELS.shape


HOPELESS = {
    "no pixels": (file(END), "damaged PNG: no pixels"),
    "no palette": (
        file(png_chunk(b"IDAT", zlib.compress(bytes(4))), END, head=header(3, 1, 8, 3)),
        "its palette is missing",
    ),
    "a depth that is none": (file(IDAT, END, head=header(depth=3)), "depth 3 of colour type 2"),
    "an unknown critical chunk": (file(png_chunk(b"ABCD", b"x"), IDAT, END), "the unknown chunk ABCD"),
    "half a header": (file(IDAT, END)[:25], "header"),
}


@pytest.mark.parametrize(("data", "says"), HOPELESS.values(), ids=HOPELESS)
def test_what_nothing_can_be_made_of_says_why(data, says):
    with pytest.raises(DecodeError, match=says):
        first(data, salvage=True)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (9, 40)])
def test_interlaced_pixels_are_counted_in_seven_passes(size):
    width, height = size
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    pixels = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx] if row.size]
    head = header(width, height, 8, 0, interlaced=1)
    sound = file(png_chunk(b"IDAT", zlib.compress(b"".join(rows))), END, head=head)
    assert np.array_equal(first(sound).array, pixels)
    with pytest.raises(DecodeError, match=r"truncated"):
        first(file(png_chunk(b"IDAT", zlib.compress(b"".join(rows[:-1]))), END, head=head))


def test_a_black_row_at_the_end_is_a_row():
    pixels = PIXELS.copy()
    pixels[-1] = 0
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    assert np.array_equal(first(file(png_chunk(b"IDAT", zlib.compress(rows)), END)).array, pixels)


def test_orientation_and_transparency_survive():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(PIXELS, "PNG", exif=exif, transparency=tuple(int(value) for value in PIXELS[0, 0]))
    at = data.index(b"IDAT") - 4
    odd = data[:at] + png_chunk(b"tEXt", b"a\0b", 1) + data[at:]
    decoded = first(odd)
    assert decoded.orientation == 6
    assert decoded.array[0, 0, 3] == 0
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="8"/>'
    assert first(file(png_chunk(b"iTXt", xmp), IDAT, END)).orientation == 8


def test_damage_is_told_by_frames():
    frames = [Image.fromarray(smooth(40, 50, seed=seed)) for seed in range(3)]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    places = [at for at in range(len(data)) if data[at : at + 4] == b"fdAT"]
    last = places[-1] + 100
    damaged = data[:last] + bytes([data[last] ^ 1]) + data[last + 1 :]
    assert np.array_equal(first(damaged).array, first(data).array)
    *sound, lost = decode(damaged, DecodeOptions(frames="all"))
    assert [one.frame for one in sound] == [0, 1]
    assert isinstance(lost, LostFrames)
    assert (lost.first, str(lost.error)) == (2, "damaged PNG: wrong checksum in its chunk fdAT")


def test_nothing_is_copied_where_nothing_is_left_out():
    from brinery.parser.images.png_chunks import read_chunks

    data = file(IDAT, END)
    assert read_chunks(data)[0] is data
    stream = io.BytesIO(read_chunks(HARMLESS["thousands of texts"])[0])
    assert stream.getvalue() == data
