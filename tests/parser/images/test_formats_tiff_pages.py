"""TIFF: orientation, pages, camera raws, the 8-bit modes, damage and budgets."""

import io
import tracemalloc

import numpy as np
import pytest
import tifffile
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

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

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="5"/></x:xmpmeta>'


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


@pytest.mark.parametrize("layout", TIFF_LAYOUTS.values(), ids=TIFF_LAYOUTS)
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


def test_many_channels_stay_within_the_budget():
    channels = {277: ("H", [9000]), 262: ("H", [2]), 258: ("H", [16])}
    with pytest.raises(DecodeError, match="the budget is"):
        native(tagged(values("u2", (4, 5)), channels), max_pixels=20)


@pytest.mark.parametrize("compression", [1, 5, 7, 8])
def test_huge_tiles_of_a_small_image_are_refused_before_anything_is_allocated(compression):
    tiles = {259: ("H", [compression]), 322: ("L", [1 << 14]), 323: ("L", [1 << 14])}
    tiles |= {324: ("L", [8]), 325: ("L", [40])}
    tracemalloc.start()
    with pytest.raises(DecodeError, match="tiles hold 268,435,456 pixels for an image of 5 x 4"):
        native(tagged(values("u1", (4, 5)), tiles))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    same(native(tiff_by_tifffile(smooth(4, 5), photometric="rgb", tile=(1024, 1024))), smooth(4, 5))


def test_pillows_own_limit_does_not_count(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for compression in (None, "zlib", "jpeg"):
        data = tiff_by_tifffile(smooth(16, 16, 1), photometric="minisblack", compression=compression)
        assert native(data).shape == (16, 16)


def test_a_directory_with_too_many_tags_is_refused():
    data = b"II*\0\x08\0\0\0" + (5000).to_bytes(2, "little") + bytes(5000 * 12 + 4)
    with pytest.raises(DecodeError, match="5,000 tags"):
        native(data)
