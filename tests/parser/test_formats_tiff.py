"""TIFF, kind by kind: the samples as stored, against tifffile, or a failure that says what they are."""

import io
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from .formats import decoded, native, same, tagged, tiff_by_tifffile, values
from .samples import smooth

ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
LAYOUTS = {
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

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="5"/></x:xmpmeta>'


def given(dtype):
    """The dtype that brinery gives: Pillow's int32 for 16-bit signed samples, else the stored one."""
    return np.dtype("i4") if np.dtype(dtype) == np.dtype("i2") else np.dtype(dtype).newbyteorder("=")


def read_by_tifffile(data):
    array = tifffile.imread(io.BytesIO(data))
    return array.astype(array.dtype.newbyteorder("="))


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
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
def test_every_layout_gives_the_same_samples(dtype, layout, order):
    array = values(dtype, (20, 27, 3))
    data = tiff_by_tifffile(array, byteorder=order, photometric="rgb", **layout)
    same(native(data), array)
    same(read_by_tifffile(data), array)


@ORDERS
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
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
    for layout in LAYOUTS.values():
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


# Orientation: recorded, applied when asked.


@ORDERS
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("compression", [None, "zlib", "jpeg", "ccitt"])
def test_orientation_is_recorded_and_applied_when_asked(orientation, order, compression):
    array = smooth(16, 24, 1)
    if compression == "ccitt":
        out = io.BytesIO()
        image = Image.fromarray(array > 127)
        image.save(out, "TIFF", compression="group4", tiffinfo={274: orientation, 700: XMP})
        data = out.getvalue()
        array = (array > 127) * np.uint8(255)
    else:
        tags = [(274, 3, 1, orientation, True), (700, 1, len(XMP), XMP, True)]
        data = tiff_by_tifffile(
            array, byteorder=order, photometric="minisblack", compression=compression, extratags=tags
        )
        array = read_by_tifffile(data)
    plain = decoded(data)
    assert plain.orientation == orientation
    same(plain.array, array)
    turned = {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.T,
        6: np.rot90(array, -1),
        7: array[::-1, ::-1].T,
        8: np.rot90(array),
    }[orientation]
    same(native(data, orient=True), turned.copy())


@pytest.mark.parametrize("compression", [None, "zlib", "jpeg"])
def test_the_orientation_in_xmp_counts_where_the_tag_is_missing(compression):
    array = smooth(16, 24, 1)
    data = tiff_by_tifffile(
        array, photometric="minisblack", compression=compression, extratags=[(700, 1, len(XMP), XMP, True)]
    )
    plain = decoded(data)
    assert plain.orientation == 5
    same(plain.array, read_by_tifffile(data))


def test_an_orientation_of_another_type_is_read():
    for order in "<>":
        data = tagged(smooth(4, 6, 1), {274: ("L", [6])}, order=order)
        assert decoded(data).orientation == 6


# Pages.


def test_pages_may_be_of_different_kinds():
    out = io.BytesIO()
    pages = [values("u1", (8, 9)), values("f8", (5, 4)), values("u2", (6, 7, 3)), values("u1", (3, 3, 4))]
    with tifffile.TiffWriter(out) as writer:
        for page, photometric in zip(pages, ["minisblack", "minisblack", "rgb", "separated"], strict=True):
            writer.write(page, photometric=photometric, metadata=None)
    frames = list(decode(out.getvalue(), DecodeOptions(frames="all")))
    assert [frame.frames for frame in frames] == [4] * 4
    for frame, page in zip(frames, pages, strict=True):
        same(frame.array, page)
    assert [frame.colours for frame in frames] == [None, None, None, "CMYK"]


def test_a_chain_of_pages_that_bites_its_tail_ends():
    data = bytearray(tiff_by_tifffile([smooth(4, 5, 1)] * 3, pages=3, photometric="minisblack"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        last = file.pages[2]
        link = last.offset + 2 + 12 * len(last.tags)
        data[link : link + 4] = file.pages[0].offset.to_bytes(4, "little")
    assert decoded(bytes(data)).frames == 3


def test_a_volume_and_a_stack_behind_one_page_are_not_read_as_one_image():
    volume = values("u2", (5, 8, 9))
    with pytest.raises(DecodeError, match="a volume of 5 slices"):
        native(tiff_by_tifffile(volume, photometric="minisblack", volumetric=True))
    text = b"ImageJ=1.53\nimages=5\nslices=5\n"
    stack = tiff_by_tifffile(volume[0], photometric="minisblack", extratags=[(270, 2, len(text), text, True)])
    same(native(stack), volume[0])
    first, lost = decode(stack, DecodeOptions(frames="all"))
    same(first.array, volume[0])
    assert "ImageJ stack of 5 images" in str(lost.error)


@ORDERS
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_grey_that_does_not_say_what_white_is_comes_as_stored(dtype, order):
    array = values(dtype, (6, 7))
    data = tagged(array, {262: None}, order=order)
    same(native(data), array)
    same(read_by_tifffile(data), array)
    with pytest.raises(DecodeError, match="does not say what its colours are"):
        native(tagged(values(dtype, (6, 7, 3)), {262: None}, order=order))


# Files whose first page is not their image.


@ORDERS
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("frames", ["first", "all"])
def test_a_camera_raw_is_no_thumbnail(order, big, frames):
    mosaic = np.random.default_rng(0).integers(0, 4096, (40, 48), "u2")
    filter_ = {262: ("H", [32803]), 33421: ("H", [2, 2]), 33422: ("B", [0, 1, 1, 2])}
    for about in ({254: ("L", [1]), 50706: ("B", [1, 4, 0, 0])}, {254: ("L", [1])}, {}):
        data = tagged(mosaic, filter_, order=order, big=big, thumbnail=(smooth(10, 12), about))
        with pytest.raises(DecodeError, match=r"camera raw image .*thumbnail of 12 x 10"):
            native(data, frames=frames)
        assert tifffile.TiffFile(io.BytesIO(data)).pages[0].shape == (10, 12, 3)


def test_a_camera_raw_without_a_preview_is_refused():
    with pytest.raises(DecodeError, match="camera raw image"):
        native(tagged(values("u2", (8, 8)), {262: ("H", [32803])}))
    plain = tagged(smooth(8, 8), {})
    with pytest.raises(DecodeError, match="CR2"):
        native(plain[:4] + (16).to_bytes(4, "little") + b"CR\2\0" + bytes(4) + plain[8:])


def test_a_reduced_first_page_is_not_taken_for_the_image():
    full, small = smooth(40, 48), smooth(10, 12)
    with pytest.raises(DecodeError, match=r"reduced copy of 12 x 10 pixels, .* image of 48 x 40"):
        native(tagged(full, {}, thumbnail=(small, {254: ("L", [1])})))
    pages = tiff_by_tifffile([small, full], pages=2, photometric="rgb")
    first = {frame.array.shape for frame in decode(pages, DecodeOptions(frames="all"))}
    assert first == {(10, 12, 3), (40, 48, 3)}
    same(native(pages), small)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(small, subfiletype=1, photometric="rgb", metadata=None)
        writer.write(full, photometric="rgb", metadata=None)
    with pytest.raises(DecodeError, match="reduced copy"):
        native(out.getvalue())
    every = list(decode(out.getvalue(), DecodeOptions(frames="all")))
    same(every[1].array, full)


def test_a_pyramid_gives_its_largest_image():
    full = smooth(40, 48)
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(full, subifds=2, photometric="rgb", metadata=None)
        writer.write(full[::2, ::2], subfiletype=1, photometric="rgb", metadata=None)
        writer.write(full[::4, ::4], subfiletype=1, photometric="rgb", metadata=None)
    same(native(out.getvalue()), full)


def test_a_small_copy_that_is_the_only_image_is_the_image():
    small = smooth(10, 12)
    same(native(tagged(small, {254: ("L", [1])})), small)


# Modes.


def test_16_bits_become_their_high_byte():
    array = values("u2", (9, 8, 4))
    data = tiff_by_tifffile(array, photometric="rgb", extrasamples=[2])
    high = (array >> 8).astype("u1")
    same(native(data, mode="rgba"), high)
    same(native(data, mode="rgb"), high[..., :3].copy())
    with Image.fromarray(high[..., :3]) as image:
        same(native(data, mode="gray"), np.array(image.convert("L")))


def test_premultiplied_colours_are_divided_for_8_bits():
    plain = np.array([[[200, 100, 50, 255], [200, 100, 50, 51], [7, 8, 9, 0]]], "u1")
    stored = plain.copy()
    stored[0, 1, :3] = [40, 20, 10]
    for dtype, step in (("u1", 1), ("u2", 257)):
        data = tiff_by_tifffile(stored.astype(dtype) * step, photometric="rgb", extrasamples=[1])
        same(native(data), stored.astype(dtype) * np.array(step, dtype))
        same(native(data, mode="rgba"), plain)
        same(native(data, mode="rgb"), plain[..., :3].copy())


def test_a_channel_without_meaning_is_no_alpha():
    array = values("u1", (9, 8, 4))
    data = tiff_by_tifffile(array, photometric="rgb", extrasamples=[0])
    same(native(data, mode="rgb"), array[..., :3].copy())
    with pytest.raises(DecodeError, match="not said to be alpha"):
        native(data, mode="rgba")


@pytest.mark.parametrize("mode", ["rgb", "gray", "rgba"])
@pytest.mark.parametrize("kind", ["u4", "i2", "f4", "cielab", "icclab"])
def test_what_has_no_8_bit_form_says_so(kind, mode):
    lab = kind.endswith("lab")
    array = values("u1" if lab else kind, (9, 8, 3))
    with pytest.raises(DecodeError, match="convert it with mode native"):
        native(tiff_by_tifffile(array, photometric=kind if lab else "rgb"), mode=mode)


# Damage and budgets.


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_truncated_pages_fail_and_can_be_salvaged(layout):
    array = np.random.default_rng(0).integers(1, 255, (64, 64, 3), "u1")
    whole = tiff_by_tifffile(array, photometric="rgb", **{"rowsperstrip": 4, **layout})
    cut = whole[: len(whole) * 2 // 3]
    with pytest.raises(DecodeError):
        native(cut)
    salvaged = decoded(cut, salvage=True)
    assert salvaged.salvaged
    same(native(whole), array)
    if "predictor" not in layout:
        assert (salvaged.array[:16] == array[:16]).mean() > 0.9 or layout.get("compression") in {
            "zlib",
            "zstd",
        }


def test_channels_of_different_depths_are_refused():
    with pytest.raises(DecodeError, match="different depths"):
        native(tagged(values("u1", (4, 5, 3)), {258: ("H", [5, 6, 5])}))


def test_many_channels_and_huge_tiles_stay_within_the_budget():
    array = values("u2", (4, 5))
    with pytest.raises(DecodeError, match="the budget is"):
        native(tagged(array, {277: ("H", [9000]), 262: ("H", [2]), 258: ("H", [16])}), max_pixels=20)
    tile = {322: ("L", [1 << 14]), 323: ("L", [1 << 14]), 324: ("L", [8]), 325: ("L", [40])}
    with pytest.raises(DecodeError, match="the budget is"):
        native(tagged(array, tile), max_pixels=20)


def test_pillows_own_limit_does_not_count(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for compression in (None, "zlib", "jpeg"):
        data = tiff_by_tifffile(smooth(16, 16, 1), photometric="minisblack", compression=compression)
        assert native(data).shape == (16, 16)


def test_a_directory_with_too_many_tags_is_refused():
    data = b"II*\0\x08\0\0\0" + (5000).to_bytes(2, "little") + bytes(5000 * 12 + 4)
    with pytest.raises(DecodeError, match="5,000 tags"):
        native(data)
