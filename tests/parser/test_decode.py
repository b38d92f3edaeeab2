"""Decoding: Pillow's pixels, or a failure with its reason."""

import io
import pickle
import struct
import threading
import warnings

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageFile

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.images import pillow as pillow_readers
from brinery.parser.images import pillow_source
from brinery.parser.options import DecodeOptions

from ..images import png_file
from .samples import encoded, png, smooth

NATIVE = DecodeOptions()


def first(data, **options):
    return next(iter(decode(data, DecodeOptions(**options))))


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def same(array, expected):
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape
    assert np.array_equal(array, expected)


SIZES = [(1, 1), (1, 9), (9, 1), (7, 7), (8, 8), (17, 9), (33, 65), (240, 320)]
JPEGS = {
    **{f"4:{sub}": {"subsampling": f"4:{sub}"} for sub in ("4:4", "2:2", "2:0")},
    "progressive": {"progressive": True},
    "best": {"quality": 100},
    "worst": {"quality": 1},
    "restarts": {"restart_marker_blocks": 2},
    "rgb": {"keep_rgb": True},
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_jpegs_have_exactly_the_pixels_of_pillow(size, options, monkeypatch):
    monkeypatch.setattr(pillow_readers, "open_image", None)  # libjpeg-turbo takes them all
    data = encoded(smooth(*size), "JPEG", **options)
    same(first(data).array, pillow(data))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("progressive", [False, True])
def test_grey_jpegs_have_exactly_the_pixels_of_pillow(size, progressive, monkeypatch):
    monkeypatch.setattr(pillow_readers, "open_image", None)
    data = encoded(smooth(*size, 1), "JPEG", progressive=progressive)
    same(first(data).array, pillow(data))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_cmyk_jpegs_keep_their_four_channels(size):
    data = encoded(Image.fromarray(smooth(*size, 4), "CMYK"), "JPEG")
    same(first(data).array, pillow(data))
    with Image.open(io.BytesIO(data)) as image:
        same(first(data, mode="rgb").array, np.asarray(image.convert("RGB")))


def test_jpegs_that_the_fast_decoder_refuses_are_pillows():
    data = encoded(smooth(40, 40), "JPEG")
    at = data.index(b"\xff\xda")
    odd = data[:at] + b"\0\0\0" + data[at:]  # extraneous bytes before a marker
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(odd)
    decoded = first(odd)
    same(decoded.array, pillow(data))
    assert not decoded.salvaged


# The decision table for images that decoders treat in different ways, row by row.


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "PPM", "QOI", "SGI", "PCX"])
def test_truncated_images_fail_and_can_be_salvaged(kind):
    data = encoded(np.random.default_rng(0).integers(1, 255, (60, 60, 3), np.uint8), kind)
    cut = data[: len(data) * 2 // 3]
    if kind == "TIFF":  # Pillow writes the directory first
        assert int.from_bytes(data[4:8], "little") < 99
    with pytest.raises(DecodeError):
        first(cut)
    decoded = first(cut, salvage=True)
    assert decoded.salvaged
    whole = first(data)
    assert not whole.salvaged
    assert decoded.array.shape == whole.array.shape
    begin = slice(-8, None) if kind == "BMP" else slice(0, 8)  # a BMP begins with its last row
    if kind != "SGI":  # which stores channel after channel
        assert np.array_equal(decoded.array[begin], whole.array[begin])
    assert not np.array_equal(decoded.array, whole.array)


def test_truncation_so_early_that_no_pixel_is_left_stays_a_failure():
    data = encoded(smooth(60, 60), "PNG")
    at = data.index(b"IDAT")
    for length in (20, at + 6):
        with pytest.raises(DecodeError):
            first(data[:length], salvage=True)


def test_cmyk_and_ycck_tiffs():
    data = encoded(Image.fromarray(smooth(9, 7, 4), "CMYK"), "TIFF")
    same(first(data).array, smooth(9, 7, 4))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
def test_16_bit_grey_is_uint16_and_its_high_byte_when_8_bits_are_asked(kind):
    values = np.linspace(0, 65535, 20 * 30).astype(np.uint16).reshape(20, 30)
    data = encoded(Image.fromarray(values), kind)
    same(first(data).array, values)
    same(first(data, mode="gray").array, (values >> 8).astype(np.uint8))
    same(first(data, mode="rgb").array, np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_big_endian_tiff_comes_in_native_order():
    values = np.arange(600, dtype=np.uint16).reshape(20, 30)
    data = encoded(Image.frombytes("I;16B", (30, 20), values.astype(">u2").tobytes()), "TIFF")
    assert data[:2] == b"MM"
    same(first(data).array, values)
    assert first(data).array.dtype.isnative


def test_palettes_are_expanded():
    rgb = smooth(20, 20) // 64 * 64
    image = Image.fromarray(rgb).quantize(64)
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        same(first(encoded(image, kind)).array, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("transparency", [3, bytes([0, 128, 255])], ids=["one colour", "an alpha for each"])
def test_palettes_with_transparent_colours_are_expanded_to_rgba(transparency):
    data = encoded(Image.fromarray(smooth(20, 20)).quantize(8), "PNG", transparency=transparency)
    with Image.open(io.BytesIO(data)) as image:
        same(first(data).array, np.asarray(image.convert("RGBA")))
    assert first(data).array.shape == (20, 20, 4)
    assert (first(data).array[..., 3] < 255).any()


def test_a_transparent_colour_becomes_an_alpha_channel():
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[0, 0] = 1, 2, 3
    alpha = first(encoded(rgb, "PNG", transparency=(1, 2, 3))).array
    assert alpha.tolist() == [[[1, 2, 3, 0], [0, 0, 0, 255]], [[0, 0, 0, 255]] * 2]


@pytest.mark.parametrize(
    ("depth", "rows", "key", "expected"),
    [
        (1, b"\x40", 1, [[0, 255], [255, 0]]),
        (2, b"\x60", 2, [[85, 255], [170, 0]]),
        (4, b"\x27", 7, [[34, 255], [119, 0]]),
        (8, b"\x09\x08", 9, [[9, 0], [8, 255]]),
        (16, b"\x01\x02\x03\x04", 0x0304, [[0x0102, 65535], [0x0304, 0]]),
    ],
)
def test_a_transparent_grey_becomes_an_alpha_channel_of_the_same_depth(depth, rows, key, expected):
    data = png(rows, depth, 0, 2, 1, (b"tRNS", key.to_bytes(2, "big")))
    array = first(data).array
    assert array.dtype == (np.uint16 if depth == 16 else np.uint8)
    assert array.tolist() == [expected]


def test_1_bit_images_are_0_and_255():
    bits = smooth(20, 20, 1) > 127
    for kind in ("PNG", "TIFF", "BMP", "PPM"):
        same(first(encoded(Image.fromarray(bits), kind)).array, bits * np.uint8(255))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_animations_give_the_first_frame_and_their_count_or_all(kind):
    frames = [Image.fromarray(smooth(24, 24, seed=seed)) for seed in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    one = list(decode(data, NATIVE))
    assert [(frame.frame, frame.frames) for frame in one] == [(0, 3)]
    every = list(decode(data, DecodeOptions(frames="all")))
    assert [(frame.frame, frame.frames) for frame in every] == [(0, 3), (1, 3), (2, 3)]
    assert np.array_equal(one[0].array, every[0].array)
    with Image.open(io.BytesIO(data)) as image:
        for frame in every:
            image.seek(frame.frame)
            same(frame.array[..., :3], np.asarray(image.convert("RGB")))


def test_more_frames_than_the_budget_are_refused():
    frames = [Image.fromarray(smooth(8, 8, seed=seed)) for seed in range(5)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert len(list(decode(data, DecodeOptions(frames="all", max_frames=5)))) == 5
    with pytest.raises(DecodeError, match="5 frames; the budget is 4"):
        list(decode(data, DecodeOptions(frames="all", max_frames=4)))
    *first_four, rest = decode(data, DecodeOptions(frames="all", max_pixels=64))
    assert [one.frame for one in first_four] == [0, 1, 2, 3]
    assert (rest.first, rest.last) == (4, 4)
    assert str(rest.error) == "more than 256 pixels in all frames together"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_recorded_and_applied_when_asked(kind, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(smooth(16, 24), kind, exif=exif)
    plain = first(data)
    assert plain.orientation == orientation
    same(plain.array, pillow(data))
    turned = first(data, orient=True)
    with Image.open(io.BytesIO(data)) as image:
        same(turned.array, np.asarray(ImageOps.exif_transpose(image)))
    assert turned.array.flags.c_contiguous


# Modes.


@pytest.mark.parametrize("source", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize(("mode", "target"), [("rgb", "RGB"), ("rgba", "RGBA"), ("gray", "L")])
def test_modes_are_those_of_pillow(source, mode, target):
    image = Image.fromarray(smooth(20, 20, 4), "RGBA").convert(source)
    data = encoded(image, "PNG")
    if target == "L" and source in {"P", "RGBA"}:
        image = image.convert("RGB")  # gray is the luma of the colours, whatever stores them
    same(first(data, mode=mode).array, np.asarray(image.convert(target)))


@pytest.mark.parametrize(("mode", "target"), [("rgb", "RGB"), ("rgba", "RGBA"), ("gray", "L")])
@pytest.mark.parametrize("channels", [1, 3])
def test_modes_of_jpegs_are_those_of_pillow(mode, target, channels):
    data = encoded(smooth(20, 20, channels), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        same(first(data, mode=mode).array, np.asarray(image.convert(target)))


def test_floats_have_no_8_bit_form():
    data = encoded(Image.fromarray(np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)), "TIFF")
    assert first(data).array.dtype == np.float32
    with pytest.raises(DecodeError, match="float32 have no 8-bit form"):
        first(data, mode="rgb")


# What every array promises.


def test_arrays_pickle_alike_whatever_made_them():
    grey = smooth(16, 16, 1)
    arrays = [first(encoded(grey, kind)).array for kind in ("PNG", "BMP", "TIFF", "PPM")]
    arrays.append(first(encoded(grey, "PNG"), mode="gray", orient=True).array)
    for array in arrays:
        assert array.flags.c_contiguous
        assert array.flags.writeable
    for protocol in range(6):
        assert len({pickle.dumps(array, protocol) for array in arrays}) == 1
    fast = first(encoded(grey, "JPEG")).array
    assert pickle.dumps(fast, 5) == pickle.dumps(fast.copy(), 5)


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "QOI", "JPEG2000", "AVIF"]
)
def test_more_pixels_than_the_budget_are_refused_with_the_sizes(kind):
    data = encoded(smooth(30, 40), kind)
    assert first(data, max_pixels=1200).array.shape == (30, 40, 3)
    with pytest.raises(DecodeError, match="40 x 30 are 1,200 pixels; the budget is 1,199"):
        first(data, max_pixels=1199)


def test_bombs_are_refused_before_anything_is_allocated():
    import tracemalloc

    side = 60_000
    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    bomb = png_file((b"IHDR", header), (b"IDAT", b"\x78\x9c"), (b"IEND", b""))
    icon = (
        bytes([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 32, 0])
        + len(bomb).to_bytes(4, "little")
        + b"\x16\0\0\0"
        + bomb
    )
    webp = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\xff" * 2
    small = bytearray(encoded(smooth(8, 8), "JPEG"))
    at = small.index(b"\xff\xc0")
    small[at + 5 : at + 9] = b"\xff\xdc" * 2
    tracemalloc.start()
    for data in (bomb, icon, webp, bytes(small)):
        with pytest.raises(DecodeError, match="the budget is 178,956,970"):
            first(data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_pillows_own_limit_neither_warns_nor_is_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("PNG", "JPEG", "GIF", "BMP", "PPM"):
            first(encoded(smooth(30, 40), kind))
    assert Image.MAX_IMAGE_PIXELS == 10


def test_known_formats_without_a_decoder_fail_by_name():
    with pytest.raises(DecodeError, match="HEIF images have no decoder here"):
        first(b"\0\0\0\x18ftypheic\0\0\0\0mif1")
    with pytest.raises(DecodeError, match="no image: PDF document"):
        first(b"%PDF-1.4")


RAISED = [
    SyntaxError,
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    OverflowError,
    KeyError,
    TypeError,
    IndexError,
]
RAISED += [ZeroDivisionError, RecursionError, AttributeError, struct.error, Image.DecompressionBombError]


@pytest.mark.parametrize("error", RAISED)
def test_whatever_pillow_raises_is_a_decode_error_of_one_line(error, monkeypatch):
    def fail(*_):
        raise error("two\nlines <object at 0x7fabc>")

    monkeypatch.setattr(pillow_source, "open_image", fail)
    with pytest.raises(DecodeError) as caught:
        first(encoded(smooth(5, 5), "PNG"))
    said = str(caught.value)
    assert "\n" not in said
    assert "0x" not in said
    assert error.__name__ not in said
    if error in {SyntaxError, OSError, ValueError, EOFError}:
        assert said == "damaged PNG: two lines <object>"
    else:  # texts for programmers
        assert said.startswith(("damaged PNG: ", "PNG that does not fit into the memory"))
        assert "object" not in said


def test_threads_decode_at_the_same_time_and_salvage_does_not_leak():
    whole = encoded(smooth(50, 50), "PNG")
    cut = whole[: len(whole) // 2]
    expected = smooth(50, 50)
    wrong = []

    def strict():
        for _ in range(60):
            if not np.array_equal(first(whole).array, expected):
                wrong.append("pixels")
            try:
                first(cut)
                wrong.append("a truncated image passed")
            except DecodeError:
                pass

    def salvage():
        for _ in range(60):
            if not first(cut, salvage=True).salvaged:
                wrong.append("not flagged")
            if ImageFile.LOAD_TRUNCATED_IMAGES:
                wrong.append("leaked")

    threads = [threading.Thread(target=target) for target in (strict, salvage, strict, salvage)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
