"""What decoding a large image holds at its peak: what Pillow keeps of it and the array, no further copies."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images import frames
from brinery.parser.options import DecodeOptions

from .apart import run_apart

SIDE = 2048
PIXELS = SIDE * SIDE
SLACK = 6 << 20  # bytes: the rows that are copied at a time, and what a library keeps


def saved(mode, kind, **options):
    stream = io.BytesIO()
    image = Image.new(mode, (SIDE, SIDE), 77 if mode in {"L", "P", "I;16", "1", "F"} else None)
    image.save(stream, kind, **options)
    return stream.getvalue()


def deep_png():
    """Colours of 16 bits."""
    header = struct.pack(">2I5B", SIDE, SIDE, 16, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\1\2" * 3 * SIDE) * SIDE, 1)
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


TWO = {"save_all": True, "append_images": [Image.new("RGB", (SIDE, SIDE))]}
CASES = [
    # what it is, how it is made, the most bytes a pixel: what Pillow keeps and the array
    ("PNG of RGB", lambda: saved("RGB", "PNG"), 4 + 3),
    ("PNG of grey", lambda: saved("L", "PNG"), 1 + 1),
    ("PNG of grey and alpha", lambda: saved("LA", "PNG"), 4 + 2),
    ("PNG of a palette", lambda: saved("P", "PNG"), 1 + 3),
    ("PNG of 16-bit RGB", deep_png, 4 + 6),
    ("GIF", lambda: saved("P", "GIF"), 1 + 3),
    ("TIFF, deflate", lambda: saved("RGB", "TIFF", compression="tiff_deflate"), 3 + 3),
    ("TIFF, JPEG", lambda: saved("RGB", "TIFF", compression="jpeg"), 4 + 3),
    ("JPEG", lambda: saved("RGB", "JPEG"), 3),
    ("progressive JPEG", lambda: saved("RGB", "JPEG", progressive=True), 6 + 3),
    ("WebP, lossless", lambda: saved("RGB", "WEBP", lossless=True), 4 + 3),
    ("WebP", lambda: saved("RGB", "WEBP", method=0), 4 + 3),
    ("animated WebP", lambda: saved("RGB", "WEBP", method=0, lossless=True, **TWO), 8 + 4 + 4),
    ("AVIF", lambda: saved("RGB", "AVIF", speed=10), 3 + 4 + 3),
    ("JPEG 2000", lambda: saved("RGB", "JPEG2000"), 3 * 5 + 4),
    ("QOI", lambda: saved("RGB", "QOI"), 4 + 3),
]


def memory(line):
    return next(int(row.split()[1]) for row in Path("/proc/self/status").open() if row.startswith(line)) << 10


def peaks(step):
    """The bytes beyond those before that decoding each holds at its peak."""
    found = {}
    list(decode(saved("P", "PNG"), DecodeOptions()))  # what is loaded once is loaded
    for step.value, (name, make, _) in enumerate(CASES):
        data = make()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = memory("VmRSS")
        (first, *_) = decode(data, DecodeOptions())
        assert first.array.shape[:2] == (SIDE, SIDE), name
        del first
        found[name] = memory("VmHWM") - before
    return found


@pytest.fixture(scope="module")
def found():
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell a peak")
    return run_apart(peaks)


@pytest.mark.parametrize(("name", "most"), [(name, most) for name, _, most in CASES])
def test_an_image_is_held_once_beside_its_array(found, name, most):
    assert found[name] <= most * PIXELS + SLACK, f"{found[name] / PIXELS:.2f} bytes a pixel"


def codestream(mode, side, tile):
    """A JPEG 2000 that says it is larger than it is."""
    stream = io.BytesIO()
    Image.new(mode, (64, 64)).save(stream, "JPEG2000", no_jp2=True)
    data = bytearray(stream.getvalue())
    struct.pack_into(">8I", data, 8, side, side, 0, 0, tile, tile, 0, 0)
    return bytes(data)


def test_what_openjpeg_holds_is_counted_before_it_is_allocated():
    told = "decoding it takes 3,211,000,000 bytes of memory; the budget is 2,863,311,520"
    with pytest.raises(DecodeError, match=told):
        decode(codestream("RGB", 13_000, 13_000), DecodeOptions())
    for within in (codestream("L", 13_000, 13_000), codestream("RGB", 13_000, 1000)):
        frames.open_source(within, "JPEG2000", DecodeOptions())  # which decodes nothing yet


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_still_webp_is_what_pillow_makes_of_it(mode, lossless):
    pixels = np.random.default_rng(7).integers(0, 256, (61, 83, len(mode)), np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "WEBP", lossless=lossless, exact=True)
    array = next(iter(decode(data.getvalue(), DecodeOptions()))).array
    assert np.array_equal(array, np.asarray(Image.open(data)))
    for cut in (20, 40, len(data.getvalue()) // 2, len(data.getvalue()) - 2):
        with pytest.raises(DecodeError):
            decode(data.getvalue()[:cut], DecodeOptions())
