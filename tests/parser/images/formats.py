"""What the tests of formats share: decoding as brinery does it, and files by tifffile."""

import io
import struct

import numpy as np
import pytest
import tifffile

from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
TIFF_LAYOUTS = {
    "strips": {},
    "rows of one strip": {"rowsperstrip": 1},
    "tiles": {"tile": (16, 16)},
    "deflate": {"compression": "zlib"},
    "deflate, predictor": {"compression": "zlib", "predictor": True},
    "lzw, tiles, predictor": {"compression": "lzw", "predictor": True, "tile": (16, 32)},
    "packbits": {"compression": "packbits"},
    "zstd": {"compression": "zstd"},
    "lzma, tiles": {"compression": "lzma", "tile": (16, 16)},
}


def decoded(data, **options):
    """The first frame."""
    return next(iter(decode(data, DecodeOptions(**options))))


def native(data, **options):
    return decoded(data, **options).array


def same(array, expected):
    """Of one dtype, shape and value, NaN included."""
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape
    assert np.array_equal(array, expected, equal_nan=array.dtype.kind in "fc")
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.writeable


def values(dtype, shape, seed=0):
    """Numbers over the whole range of a dtype; floats around 0."""
    random = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "ui":
        span = np.iinfo(dtype)
        return random.integers(span.min, span.max, shape, dtype, endpoint=True)
    numbers = random.normal(size=shape) * 1000
    return (numbers + 1j * random.normal(size=shape) if dtype.kind == "c" else numbers).astype(dtype)


def tiff_by_tifffile(array, *, byteorder="<", bigtiff=False, pages=1, **options):
    """A TIFF that tifffile wrote, of one page or of several."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder=byteorder, bigtiff=bigtiff) as writer:
        for page in [array] if pages == 1 else array:
            writer.write(page, metadata=None, software=False, **options)
    return out.getvalue()


def read_by_tifffile(data):
    array = tifffile.imread(io.BytesIO(data))
    return array.astype(array.dtype.newbyteorder("="))


def tagged(array, tags, *, order="<", big=False, thumbnail=None, raw=None):
    """An uncompressed TIFF made by hand; below a thumbnail, or with other bytes for pixels."""
    word = "Q" if big else "L"

    def directory(pixels, own, at, payload=None):
        samples = pixels.shape[2] if pixels.ndim == 3 else 1
        kind = {"u": 1, "i": 2, "f": 3, "c": 6}[pixels.dtype.kind]
        body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes() if payload is None else payload
        entries = {
            256: ("L", [pixels.shape[1]]),
            257: ("L", [pixels.shape[0]]),
            258: ("H", [8 * pixels.dtype.itemsize] * samples),
            259: ("H", [1]),
            262: ("H", [1 if samples == 1 else 2]),
            273: (word, [0]),
            277: ("H", [samples]),
            278: ("L", [pixels.shape[0]]),
            279: (word, [len(body)]),
            339: ("H", [kind] * samples),
            **own,
        }
        entries = {number: entry for number, entry in entries.items() if entry is not None}
        inline = struct.calcsize(order + word)
        head = struct.calcsize(order + ("Q" if big else "H"))
        start = at + head + (4 + 2 * inline) * len(entries) + inline
        sizes = [struct.calcsize(order + code) * len(numbers) for code, numbers in entries.values()]
        beyond = sum(size for size in sizes if size > inline)
        if 273 in entries:
            entries[273] = (word, [start + beyond])
        rows, tail = b"", b""
        for number, (code, numbers) in sorted(entries.items()):
            packed = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
            if len(packed) > inline:
                packed, tail = struct.pack(order + word, start + len(tail)), tail + packed
            type_ = {"B": 1, "H": 3, "L": 4, "Q": 16}[code]
            rows += struct.pack(order + "HH" + word, number, type_, len(numbers)) + packed.ljust(
                inline, b"\0"
            )
        count = struct.pack(order + ("Q" if big else "H"), len(entries))
        return count + rows + bytes(inline) + tail + body

    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    else:
        head = mark + struct.pack(order + "HL", 42, 8)
    if thumbnail is None:
        return head + directory(array, tags, len(head), raw)
    small, own = thumbnail
    own = {330: ("L", [0]), **own}
    below = len(head) + len(directory(small, own, len(head)))
    own[330] = ("L", [below])
    return head + directory(small, own, len(head)) + directory(array, tags, below, raw)
