"""Small files that declare much: what is missing is noticed before memory is taken, with --salvage too."""

import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images.jpeg2000_tiles import lost_tiles
from brinery.parser.options import DecodeOptions

from ..samples import encoded, smooth
from .jpegs import photo, replaced, scan_data

SIDE = 12_000
GIF = b"GIF89a" + struct.pack("<2H3B", SIDE, SIDE, 0x80, 0, 0) + bytes(6)
GIF += b"," + struct.pack("<4HB", 0, 0, SIDE, SIDE, 0) + b"\x02\x02\x44\x01\x00" + bytes(1500) + b";"
TGA = struct.pack("<3B2HB4H2B", 0, 0, 11, 0, 0, 0, 0, 0, SIDE, SIDE, 8, 0x20) + b"\x81\1" * 500
PLAIN = photo()
JPEG = replaced(PLAIN, PLAIN.index(b"\xff\xc0") + 5, struct.pack(">2H", SIDE, SIDE))
BMP = encoded(smooth(8, 8), "BMP")
BMP = BMP[:18] + struct.pack("<2i", SIDE, SIDE) + BMP[26:]


def tiff(compression):
    """A TIFF of one strip of ten bytes, and pixels for more."""
    numbers = {256: SIDE, 257: SIDE, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: SIDE, 279: 10}
    entries = b"".join(struct.pack("<2H2L", tag, 4, 1, value) for tag, value in numbers.items())
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(numbers)) + entries + bytes(4)


HOLLOW = {
    "GIF": GIF,
    "TGA": TGA,
    "JPEG": JPEG[: scan_data(JPEG) + 99] + b"\xff\xd9",
    "BMP": BMP,
    "TIFF, LZW": tiff(5),
    "TIFF, deflate": tiff(8),
    "TIFF, PackBits": tiff(32773),
}


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize("data", HOLLOW.values(), ids=HOLLOW)
def test_next_to_nothing_is_not_salvaged(data, salvage):
    encoded(smooth(8, 8), "TIFF")
    for warm in (encoded(smooth(8, 8), kind) for kind in ("TIFF", "TGA", "GIF", "BMP")):
        list(decode(warm, DecodeOptions()))
    tracemalloc.start()
    with pytest.raises(DecodeError, match=r"damaged|truncated"):
        decode(data, DecodeOptions(salvage=salvage))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # numpy asks for room that the system gives where it is written to only, which it is not here.
    assert taken < (1 << 20 if data not in {HOLLOW["JPEG"], BMP} else 4 * SIDE * SIDE)


@pytest.mark.parametrize("options", [{}, {"tile_size": (16, 16)}, {"no_jp2": True, "tile_size": (32, 8)}])
def test_sound_codestreams_have_all_their_tiles(options):
    data = encoded(smooth(40, 50), "JPEG2000", **options)
    start = data.index(b"\xff\x4f\xff\x51")
    assert lost_tiles(data, start, len(data)) == ""
    assert not next(iter(decode(data, DecodeOptions()))).salvaged


def test_tiles_that_are_missing_are_damage():
    data = encoded(Image.fromarray(smooth(40, 50, 1)), "JPEG2000", no_jp2=True, tile_size=(16, 16))
    at = data.rindex(b"\xff\x90")
    lacking = data[:at] + b"\xff\xd9"
    assert lost_tiles(lacking, 0, len(lacking)) == "truncated: 11 of 12 tiles are there"
    with pytest.raises(DecodeError, match="damaged JPEG2000: truncated: 11 of 12 tiles are there"):
        decode(lacking, DecodeOptions())
    whole, rest = (next(iter(decode(one, DecodeOptions(salvage=True)))) for one in (data, lacking))
    assert rest.salvaged
    assert np.array_equal(rest.array[:32], whole.array[:32])
