"""TIFF, kind by kind: the samples as stored, against tifffile, or a failure that says what they are."""

import io
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from brinery.errors import DecodeError

from ..samples import smooth
from .formats import (
    ORDERS,
    TIFF_LAYOUTS,
    decoded,
    native,
    read_by_tifffile,
    same,
    tagged,
    tiff_by_tifffile,
    values,
)


def given(dtype):
    """The dtype that brinery gives: Pillow's int32 for 16-bit signed samples, else the stored one."""
    return np.dtype("i4") if np.dtype(dtype) == np.dtype("i2") else np.dtype(dtype).newbyteorder("=")


# Depths and signs, in both byte orders, however they lie in the file.


@ORDERS
@pytest.mark.parametrize(
    "dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "c8", "c16"]
)
def test_grey_of_every_depth_and_sign_is_as_stored(dtype, order):
    for layout in ({}, {"compression": "zlib"}):
        data = tiff_by_tifffile(values(dtype, (20, 27)), byteorder=order, photometric="minisblack", **layout)
        same(native(data), read_by_tifffile(data).astype(given(dtype)))


@ORDERS
@pytest.mark.parametrize("layout", TIFF_LAYOUTS.values(), ids=TIFF_LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_every_layout_gives_the_same_samples(dtype, layout, order):
    array = values(dtype, (20, 27, 3))
    data = tiff_by_tifffile(array, byteorder=order, photometric="rgb", **layout)
    same(native(data), array)
    same(read_by_tifffile(data), array)


@ORDERS
@pytest.mark.parametrize("layout", TIFF_LAYOUTS.values(), ids=TIFF_LAYOUTS)
def test_planes_that_lie_apart_are_put_together(layout, order):
    array = values("u2", (3, 20, 27))
    data = tiff_by_tifffile(array, byteorder=order, photometric="rgb", planarconfig="separate", **layout)
    same(native(data), np.moveaxis(read_by_tifffile(data), 0, -1).copy())


@ORDERS
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("tile", [None, (16, 32)], ids=["strips", "tiles"])
def test_the_predictor_of_floats_is_undone(dtype, tile, order):
    array = values(dtype, (20, 27, 3))
    data = tiff_by_tifffile(
        array, byteorder=order, photometric="rgb", compression="zlib", predictor=3, tile=tile
    )
    same(native(data), read_by_tifffile(data))


@ORDERS
@pytest.mark.parametrize("bits", [3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15])
def test_packed_depths_are_as_stored(bits, order):
    array = np.random.default_rng(0).integers(0, 1 << bits, (20, 27), "u1" if bits < 8 else "u2")
    digits = array[..., None] >> np.arange(bits)[::-1] & 1
    raw = np.packbits(digits.reshape(20, -1).astype("u1"), axis=1).tobytes()
    for compression, packed in ((1, raw), (8, zlib.compress(raw))):
        tags = {258: ("H", [bits]), 259: ("H", [compression])}
        data = tagged(np.zeros((20, 27), "u1"), tags, order=order, raw=packed)
        same(native(data), array)
        same(read_by_tifffile(data), array)
        if bits > 8:
            same(native(data, mode="gray"), (array >> (bits - 8)).astype("u1"))


@pytest.mark.parametrize(("bits", "step"), [(1, 255), (2, 85), (4, 17)])
@pytest.mark.parametrize("tile", [None, (16, 16)], ids=["strips", "tiles"])
def test_1_2_and_4_bits_are_spread_over_a_byte(bits, step, tile):
    array = np.random.default_rng(0).integers(0, 1 << bits, (20, 27), "u1")
    stored = array.astype(bool) if bits == 1 else array
    data = tiff_by_tifffile(stored, photometric="minisblack", bitspersample=bits, tile=tile)
    same(native(data), read_by_tifffile(data) * np.uint8(step))


@ORDERS
@pytest.mark.parametrize("kind", ["u", "f"])
def test_24_bits_are_read_in_the_byte_order_of_the_file(kind, order):
    numbers = np.array([[0.0, 1.0, -2.5, 1e-9, 1e9], [3.140625, 65504.0, -0.0, np.inf, 5e-19]], "f4")
    if kind == "f":
        raw = imagecodecs.float24_encode(numbers, byteorder=order)
        expected = imagecodecs.float24_decode(raw, byteorder=order).reshape(2, 5)
    else:
        expected = np.random.default_rng(0).integers(0, 1 << 24, (2, 5), "u4")
        raw = b"".join(int(n).to_bytes(3, "little" if order == "<" else "big") for n in expected.flat)
    tags = {258: ("H", [24]), 339: ("H", [3 if kind == "f" else 1])}
    same(
        native(tagged(np.zeros((2, 5), "u1"), tags, order=order, raw=bytes(raw))),
        expected.astype(expected.dtype),
    )


@ORDERS
def test_bigtiff_is_read(order):
    array = values("u2", (20, 27, 3))
    for layout in TIFF_LAYOUTS.values():
        same(
            native(tiff_by_tifffile(array, byteorder=order, bigtiff=True, photometric="rgb", **layout)), array
        )


def test_bits_in_the_reversed_order_of_faxes():
    array = values("u1", (5, 27))
    bits = np.unpackbits(array, axis=1)
    raw = np.packbits(bits.reshape(-1, 8)[:, ::-1]).tobytes()
    data = tagged(np.zeros((5, 27 * 8), "u1"), {258: ("H", [1]), 266: ("H", [2])}, raw=raw)
    same(native(data), bits * np.uint8(255))
    same(read_by_tifffile(data), bits.astype(bool))


# Photometric interpretations.


@ORDERS
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_white_is_the_greatest_value_where_white_is_zero(dtype, order, compression):
    array = values(dtype, (20, 27))
    data = tiff_by_tifffile(array, byteorder=order, photometric="miniswhite", compression=compression)
    top = np.array(np.iinfo(dtype).max, dtype)
    same(native(data), top - read_by_tifffile(data))
    if dtype == "u1":
        with Image.open(io.BytesIO(data)) as image:
            same(native(data), np.array(image))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@ORDERS
def test_white_is_zero_below_8_bits_is_what_pillow_gives(bits, order):
    across = 24
    raw = np.random.default_rng(0).integers(0, 256, (5, across * bits // 8), "u1")
    data = tagged(
        np.zeros((5, across), "u1"), {258: ("H", [bits]), 262: ("H", [0])}, order=order, raw=raw.tobytes()
    )
    with Image.open(io.BytesIO(data)) as image:
        expected = np.array(image).astype("u1")
    same(native(data), expected * np.uint8(255) if bits == 1 else expected)


def test_white_is_zero_has_no_meaning_for_floats_and_signed_numbers():
    for dtype in ("f4", "i2"):
        data = tiff_by_tifffile(values(dtype, (4, 5)), photometric="miniswhite")
        with pytest.raises(DecodeError, match="white is zero"):
            native(data)


COLOURS = {
    "grey and alpha": ("minisblack", 2, [2], None),
    "grey, premultiplied": ("minisblack", 2, [1], "La"),
    "grey and another": ("minisblack", 2, [0], "LX"),
    "rgb": ("rgb", 3, None, None),
    "rgba": ("rgb", 4, [2], None),
    "rgb, premultiplied": ("rgb", 4, [1], "RGBa"),
    "rgb and another": ("rgb", 4, [0], "RGBX"),
    "rgb and two": ("rgb", 5, [0, 0], "RGBXX"),
    "rgba and another": ("rgb", 5, [2, 0], "RGBAX"),
    "cmyk": ("separated", 4, None, "CMYK"),
    "cmyk and alpha": ("separated", 5, [2], "CMYKA"),
    "lab": ("cielab", 3, None, "LAB"),
    "icclab": ("icclab", 3, None, "ICCLAB"),
    "itulab": ("itulab", 3, None, "ITULAB"),
}


@pytest.mark.parametrize(("photometric", "samples", "extra", "colours"), COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_colours_are_as_stored_and_named(photometric, samples, extra, colours, dtype):
    array = values(dtype, (20, 27, samples))
    for planar in ("contig", "separate"):
        stored = array if planar == "contig" else np.moveaxis(array, -1, 0)
        data = tiff_by_tifffile(stored, photometric=photometric, extrasamples=extra, planarconfig=planar)
        image = decoded(data)
        same(image.array, array)
        assert image.colours == colours
        assert tifffile.TiffFile(io.BytesIO(data)).pages[0].photometric.name.lower() == photometric


@ORDERS
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "step", [257, 256, 1], ids=["of 16 bits", "of 8 bits, shifted", "of 8 bits by mistake"]
)
def test_palettes_become_rgb(bits, order, step):
    colours = np.random.default_rng(bits).integers(1, 256, (3, 1 << bits), "u2")
    across = 24
    raw = np.random.default_rng(0).integers(0, 256, (5, across * bits // 8), "u1")
    tags = {258: ("H", [bits]), 262: ("H", [3]), 320: ("H", (colours * step).ravel().tolist())}
    data = tagged(np.zeros((5, across), "u1"), tags, order=order, raw=raw.tobytes())
    indices = np.unpackbits(raw, axis=1).reshape(5, across, bits) @ (1 << np.arange(bits)[::-1])
    same(native(data), colours.astype("u1").T[indices])
    same(tifffile.imread(io.BytesIO(data)).astype("i8"), indices.astype("i8"))


def test_palettes_of_16_bits_keep_them():
    colours = values("u2", (3, 256))
    indices = values("u1", (20, 27))
    data = tiff_by_tifffile(indices, photometric="palette", colormap=colours)
    same(native(data), colours.T[indices])
    same(native(data, mode="rgb"), (colours >> 8).astype("u1").T[indices])
    wide = values("u2", (20, 27))
    colours = values("u2", (3, 65536))
    same(native(tiff_by_tifffile(wide, photometric="palette", colormap=colours)), colours.T[wide])


def test_ycbcr_becomes_rgb_however_it_is_compressed():
    array = values("u1", (20, 27, 3))
    with Image.frombytes("YCbCr", (27, 20), array.tobytes()) as image:
        expected = np.array(image.convert("RGB"))
    for compression in (None, "zlib", "lzw"):
        same(native(tiff_by_tifffile(array, photometric="ycbcr", compression=compression)), expected)
    with pytest.raises(DecodeError, match="subsampled"):
        native(tagged(array, {262: ("H", [6]), 530: ("H", [2, 2])}))


@pytest.mark.parametrize("photometric", [4, 32803, 34892, 32844])
def test_other_interpretations_are_refused(photometric):
    with pytest.raises(DecodeError, match=r"photometric interpretation|camera raw"):
        native(tagged(values("u1", (4, 5)), {262: ("H", [photometric])}))


# Compressions that know what pixels are.


@pytest.mark.parametrize(
    ("photometric", "channels"),
    [("minisblack", 1), ("miniswhite", 1), ("rgb", 3), ("ycbcr", 3), ("separated", 4)],
)
def test_jpeg_in_tiff_is_what_tifffile_gives(photometric, channels):
    array = smooth(40, 48, channels)
    subsampling = (1, 1) if photometric == "ycbcr" else None
    data = tiff_by_tifffile(array, photometric=photometric, compression="jpeg", subsampling=subsampling)
    expected = read_by_tifffile(data)
    same(native(data), np.uint8(255) - expected if photometric == "miniswhite" else expected)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_faxes_are_what_tifffile_gives(compression, photometric):
    bits = smooth(20, 27, 1) > 127
    out = io.BytesIO()
    Image.fromarray(bits).save(out, "TIFF", compression=compression, tiffinfo={262: photometric})
    stored = read_by_tifffile(out.getvalue())
    same(native(out.getvalue()), (~stored if photometric == 0 else stored) * np.uint8(255))


@pytest.mark.parametrize(
    ("compression", "name"),
    [("jpeg2000", "JPEG 2000"), ("jpegxl", "JPEG XL"), ("lerc", "LERC"), ("webp", "WebP")],
)
def test_compressions_that_are_not_read_are_named(compression, name):
    data = tiff_by_tifffile(smooth(20, 27), photometric="rgb", compression=compression)
    with pytest.raises(DecodeError, match=f"TIFF compressed as {name}"):
        native(data)
