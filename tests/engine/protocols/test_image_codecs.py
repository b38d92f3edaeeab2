"""Image codecs: what they hold comes back, and what they did not write is refused."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from brinery.engine.photos import photo
from brinery.engine.protocols.base import Compression, Spec
from brinery.engine.protocols.image_codecs import IMAGE_COMPRESSIONS, image_codec
from brinery.engine.protocols.testing import make_array, same
from brinery.errors import CorruptError

RGB, RGBA = photo(0, 40, 30), make_array((7, 5, 4))
OPAQUE = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
GREY, GREY_ALPHA, DEEP = RGB[..., 0].copy(), make_array((6, 9, 2)), make_array((6, 9), "u2")
LOSSLESS = {"png": [RGB, RGBA, OPAQUE, GREY, GREY_ALPHA, DEEP], "webp": [RGB, RGBA]}
OTHERS = [
    *(make_array((5, 7), dtype) for dtype in ("f4", "f8", "i4", "?", "c8", "u4")),
    *(make_array(shape) for shape in ((), (6,), (0, 4, 3), (3, 0), (4, 5, 1), (4, 5, 5), (2, 3, 4, 3))),
    make_array((4, 5, 3), "u2"),
    make_array((4, 5, 3), "i1"),
]
NOT_HELD = {
    "png": [*OTHERS, np.empty((1, 1_000_001), "u1")],
    "webp": [*OTHERS, GREY, GREY_ALPHA, DEEP, OPAQUE, np.empty((1, 16384, 3), "u1")],
    "jpg": [*OTHERS, RGBA, GREY_ALPHA, DEEP, np.empty((1, 65501), "u1")],
}


def codec(name, level=None):
    return image_codec(Compression(name, level))


def spec(array):
    return Spec(array.dtype, array.shape)


def by_pillow(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("name", "array"), [(name, array) for name in LOSSLESS for array in LOSSLESS[name]])
@pytest.mark.parametrize("level", [None, 0, 9])
def test_lossless_codecs_give_every_value_back(name, array, level):
    data = codec(name, level).encode(array)
    assert same(codec(name).decode(data, spec(array)), array)
    assert same(np.asarray(Image.open(io.BytesIO(data))), array)
    assert codec(name, level).encode(array) == data


@pytest.mark.parametrize("array", [RGB, GREY])
def test_jpeg_gives_back_what_pillow_decodes_and_nearly_what_it_got(array):
    data = codec("jpg", 95).encode(array)
    back = codec("jpg").decode(data, spec(array))
    assert same(back, np.asarray(Image.open(io.BytesIO(data))))
    assert 0 < np.abs(back.astype(int) - array).mean() < 3
    assert len(codec("jpg", 50).encode(array)) < len(data)


@pytest.mark.parametrize(("name", "array"), [(name, array) for name in NOT_HELD for array in NOT_HELD[name]])
def test_what_a_codec_cannot_hold_it_does_not_encode(name, array):
    assert codec(name).encode(array) is None


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def with_chunk(png, kind, data):
    return png[:33] + chunk(kind, data) + png[33:]


def interlaced():
    data = bytearray(by_pillow(RGB, "PNG"))
    data[28] = 1
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def animated():
    file = io.BytesIO()
    frames = [Image.fromarray(one) for one in (RGB, RGB[::-1].copy())]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


def commented():
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b" * 100_000, zip=True)
    return by_pillow(RGB, "PNG", pnginfo=info)


PNG, WEBP, JPEG = (codec(name).encode(RGB) for name in ("png", "webp", "jpg"))
STRANGE = {
    "png": [
        with_chunk(PNG, b"tRNS", bytes(6)),
        with_chunk(PNG, b"gAMA", bytes(4)),
        *(interlaced(), animated(), commented(), PNG + b"\0", PNG[:-1], PNG[:-12], PNG[:40], b"", JPEG),
        PNG[:33] + chunk(b"IDAT", zlib.compress(bytes(10))) + PNG[-12:],
        by_pillow(GREY, "PNG"),
        by_pillow(RGB[1:], "PNG"),
    ],
    "webp": [
        by_pillow(RGB, "WEBP", quality=80),
        by_pillow(RGB, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
        *(by_pillow(OPAQUE[1:], "WEBP", lossless=True), WEBP + b"\0\0", WEBP[:-2], WEBP[:24], b"", PNG),
        WEBP[:60] + bytes(len(WEBP) - 60),
    ],
    "jpg": [
        by_pillow(RGB, "JPEG", progressive=True),
        *(by_pillow(GREY, "JPEG"), by_pillow(RGB[1:], "JPEG"), JPEG[:-100], JPEG[:20], b"", PNG),
    ],
}


@pytest.mark.parametrize(("name", "data"), [(name, data) for name in STRANGE for data in STRANGE[name]])
def test_what_brinery_does_not_write_is_refused(name, data):
    with pytest.raises(CorruptError):
        codec(name).decode(data, spec(RGB))


@pytest.mark.parametrize("name", IMAGE_COMPRESSIONS)
def test_a_manifest_that_says_another_size_is_refused(name):
    data = codec(name).encode(RGB)
    for shape in ((30, 41, 3), (40, 30, 3), (30, 40), (30, 40, 4), (1 << 20, 1 << 20, 3), (0, 40, 3)):
        with pytest.raises(CorruptError):
            codec(name).decode(data, Spec(np.dtype("u1"), shape))
    with pytest.raises(CorruptError):
        codec(name).decode(data, Spec(np.dtype("f4"), RGB.shape))
