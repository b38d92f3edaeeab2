"""PNG, kind by kind: the samples as stored, against libpng through imagecodecs or by known bytes."""

import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ..samples import encoded, png, smooth
from .formats import decoded, native, same, values

MODES = ("gray", "rgb", "rgba")
COLOURS = {"grey": 1, "grey and alpha": 2, "rgb": 3, "rgba": 4}


def shaped(dtype, channels, seed=0):
    return values(dtype, (16, 20) if channels == 1 else (16, 20, channels), seed)


@pytest.mark.parametrize("channels", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_every_depth_and_colour_is_what_libpng_gives(dtype, channels):
    data = imagecodecs.png_encode(shaped(dtype, channels))
    same(native(data), imagecodecs.png_decode(data))


@pytest.mark.parametrize("channels", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("filter_", range(5), ids=["none", "sub", "up", "average", "paeth"])
def test_every_filter_over_16_bits(channels, filter_):
    array = shaped("u2", channels)
    data = imagecodecs.png_encode(array, filter=8 << filter_)
    same(native(data), array)


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
def test_interlaced_images(colour, channels, depth):
    array = values(f"u{depth // 8}", (11, 13, channels))
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    parts = [array[top::down, left::across] for top, left, down, across in passes]
    rows = [b"\0" + row.astype(f">u{depth // 8}").tobytes() for part in parts for row in part if row.size]
    data = png(rows, depth, colour, 13, 11, interlaced=True)
    same(native(data), array if channels > 1 else array[..., 0].copy())


@pytest.mark.parametrize(("depth", "step"), [(1, 255), (2, 85), (4, 17)])
def test_1_2_and_4_bits_are_spread_over_a_byte(depth, step):
    rows = values("u1", (9, -(-20 * depth // 8)))
    stored = np.unpackbits(rows, axis=1, count=20 * depth).reshape(9, 20, depth) @ (
        1 << np.arange(depth)[::-1]
    )
    data = png(rows.tobytes(), depth, 0, 20, 9)
    same(native(data), (stored * step).astype("u1"))
    same(native(data), imagecodecs.png_decode(data))


# A transparent colour, which the file names in the depth of its samples.


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_every_depth(depth):
    across = 16
    rows = values("u1", (3, across * depth // 8))
    stored = np.unpackbits(rows, axis=1).reshape(3, across, depth) @ (1 << np.arange(depth)[::-1])
    key = int(stored[1, 2])
    data = png(rows.tobytes(), depth, 0, across, 3, (b"tRNS", key.to_bytes(2, "big")))
    dtype, top = ("u2", 65535) if depth == 16 else ("u1", 255)
    grey = stored if depth >= 8 else stored * (255 // ((1 << depth) - 1))
    expected = np.stack((grey, np.where(stored == key, 0, top)), axis=2).astype(dtype)
    same(native(data), expected)
    high = (expected >> 8).astype("u1") if depth == 16 else expected
    same(native(data, mode="gray"), high[..., 0].copy())
    same(native(data, mode="rgba"), high[..., [0, 0, 0, 1]].copy())
    same(native(data, mode="rgb"), high[..., [0, 0, 0]].copy())


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_every_depth(depth):
    dtype = f"u{depth // 8}"
    array = values(dtype, (3, 4, 3))
    array[0, 1] = array[2, 2]
    array[1, 1] = array[2, 2]
    array[1, 1, 2] ^= 1  # of 16 bits: the same high bytes, and not transparent
    key = array[2, 2].astype(">u2").tobytes()
    data = png(array.astype(f">{dtype}").tobytes(), depth, 2, 4, 3, (b"tRNS", key))
    alpha = np.where((array == array[2, 2]).all(axis=2), 0, np.iinfo(dtype).max)
    expected = np.concatenate((array, alpha[..., None].astype(dtype)), axis=2)
    same(native(data), expected)
    high = (expected >> 8).astype("u1") if depth == 16 else expected
    same(native(data, mode="rgba"), high)
    same(native(data, mode="rgb"), high[..., :3].copy())


def test_only_the_bits_of_a_sample_count_in_a_transparent_colour():
    data = png(b"\x27", 4, 0, 2, 1, (b"tRNS", b"\xff\xf7"))
    same(native(data), np.array([[[34, 255], [119, 0]]], "u1"))
    data = png(b"\1\2\3\4\5\6", 8, 2, 2, 1, (b"tRNS", b"\1\1\1\2\1\3"))
    same(native(data), np.array([[[1, 2, 3, 0], [4, 5, 6, 255]]], "u1"))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "alphas", [b"", b"\x80", b"\xff\0", b"\0\x80\xff"], ids=["none", "one", "two", "three"]
)
def test_palettes_with_partial_alpha(depth, alphas):
    count = min(1 << depth, 40)
    colours = values("u1", (count, 3))
    alphas = alphas[:count]
    across = 16
    indices = np.random.default_rng(0).integers(0, count, (5, across))
    digits = (indices[..., None] >> np.arange(depth)[::-1] & 1).astype("u1")
    rows = np.packbits(digits.reshape(5, -1), axis=1).tobytes()
    chunks = [(b"PLTE", colours.tobytes()), *([(b"tRNS", alphas)] if alphas else [])]
    data = png(rows, depth, 3, across, 5, *chunks)
    alpha = np.frombuffer(alphas.ljust(count, b"\xff"), "u1")
    rgba = np.concatenate((colours, alpha[:, None]), axis=1)[indices]
    same(native(data), rgba if alphas else rgba[..., :3].copy())
    same(native(data, mode="rgba"), rgba)


def test_what_describes_the_colours_changes_none():
    array = values("u1", (5, 6, 3))
    plain = png(array.tobytes(), 8, 2, 6, 5)
    for name, body in (
        (b"gAMA", (45455).to_bytes(4, "big")),
        (b"sBIT", b"\5\6\5"),
        (b"sRGB", b"\0"),
        (b"cHRM", bytes(range(32))),
        (b"bKGD", b"\0\1\0\2\0\3"),
    ):
        same(native(png(array.tobytes(), 8, 2, 6, 5, (name, body))), native(plain))


def test_16_bits_in_the_8_bit_modes_are_their_high_bytes():
    for channels in COLOURS.values():
        array = shaped("u2", channels)
        high = (array >> 8).astype("u1")
        data = imagecodecs.png_encode(array)
        with Image.fromarray(high) as image:
            for mode, target in zip(MODES, ("L", "RGB", "RGBA"), strict=True):
                plain = image.convert("RGB") if (mode, channels) == ("gray", 4) else image
                same(native(data, mode=mode), np.array(plain.convert(target)))


@pytest.mark.parametrize("orientation", [3, 6])
def test_orientation_of_16_bit_colours_is_recorded(orientation):
    array = shaped("u2", 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = imagecodecs.png_encode(array)
    chunk = png(b"", 8, 2, 1, 1, (b"eXIf", exif.tobytes()[6:]))
    begin = chunk.index(b"eXIf") - 4
    data = data[:33] + chunk[begin : begin + 12 + len(exif.tobytes()) - 6] + data[33:]
    assert decoded(data).orientation == orientation
    same(native(data), array)
    same(native(data, orient=True), np.rot90(array, 2 if orientation == 3 else -1).copy())


def test_later_frames_of_16_bit_colours_are_refused():
    frames = [Image.fromarray(smooth(8, 8, seed=seed)) for seed in range(2)]
    data = bytearray(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    plain = list(decode(bytes(data), DecodeOptions(frames="all")))
    assert len(plain) == 2
    array = values("u2", (2, 8, 8, 3))
    deep = imagecodecs.apng_encode(array)
    same(native(deep), array[0])
    first, lost = decode(deep, DecodeOptions(frames="all"))
    same(first.array, array[0])
    assert "16-bit colours in a later frame" in str(lost.error)


def test_apples_own_variant_is_named():
    data = encoded(smooth(8, 8), "PNG")
    with pytest.raises(DecodeError, match="'CgBI' and not its header: Apple's variant"):
        native(data[:8] + b"\0\0\0\4CgBI\x50\0\x20\2\x2b\xd5\xb3\x7f" + data[8:])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_truncated_16_bit_colours_fail_and_can_be_salvaged(channels):
    array = values("u2", (60, 60, channels))
    data = imagecodecs.png_encode(array)
    cut = data[: len(data) * 2 // 3]
    with pytest.raises(DecodeError):
        native(cut)
    image = decoded(cut, salvage=True)
    assert image.salvaged
    same(image.array[:8].copy(), array[:8])


def test_icons_of_16_bit_pngs_keep_them():
    array = values("u2", (16, 16, 4))
    inner = imagecodecs.png_encode(array)
    head = bytes([0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0])
    same(native(head + len(inner).to_bytes(4, "little") + b"\x16\0\0\0" + inner), array)
    assert Image.open(io.BytesIO(inner)).mode == "RGBA"
