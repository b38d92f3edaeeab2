"""BMP and ICO, kind by kind: files of known bytes give the pixels in them."""

import io
import subprocess
import sys

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from brinery.errors import DecodeError

from ..samples import encoded, smooth
from .bitmaps import FIELDS, bitmap, icon, padded, sun
from .formats import decoded, native, same, tagged, values

BLACK_AND_WHITE = [(0, 0, 0), (255, 255, 255)]


def packed(numbers, bits):
    """Numbers (H, W) as rows of bytes, the first pixel in the highest bits."""
    digits = (numbers[..., None] >> np.arange(bits)[::-1] & 1).astype("u1")
    return [row.tobytes() for row in np.packbits(digits.reshape(len(numbers), -1), axis=1)]


def numbers(bits, count=None):
    return np.random.default_rng(bits).integers(0, count or 1 << bits, (5, 13), "u1")


@pytest.mark.parametrize("header", [12, 40, 64, 108, 124])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_every_depth(bits, header):
    palette = [tuple(colour) for colour in values("u1", (1 << bits, 3)).tolist()]
    stored = numbers(bits)
    data = bitmap(bits, 13, 5, padded(packed(stored[::-1], bits)), palette=palette, header=header)
    same(native(data), np.array(palette, "u1")[stored])
    if header == 40:
        top_first = bitmap(bits, 13, -5, padded(packed(stored, bits)), palette=palette)
        same(native(top_first), np.array(palette, "u1")[stored])


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_black_and_white_are_grey_at_every_depth(bits):
    stored = numbers(bits, 2)
    rows = padded(packed(stored[::-1], bits))
    same(native(bitmap(bits, 13, 5, rows, palette=BLACK_AND_WHITE, used=2)), stored * np.uint8(255))
    white_first = bitmap(bits, 13, 5, rows, palette=BLACK_AND_WHITE[::-1], used=2)
    same(native(white_first), ((1 - stored) * np.uint8(255))[..., None].repeat(3, axis=2))


@pytest.mark.parametrize(("bits", "count"), [(4, 16), (8, 16), (8, 100), (8, 256)])
def test_greys_at_their_own_numbers_are_grey(bits, count):
    stored = numbers(bits, count)
    palette = [(grey, grey, grey) for grey in range(count)]
    data = bitmap(bits, 13, 5, padded(packed(stored[::-1], bits)), palette=palette, used=count)
    same(native(data), stored)
    if count == 256:
        same(native(data), imagecodecs.bmp_decode(data))


@pytest.mark.parametrize("kind", ["L", "P", "RGB", "RGBA", "1"])
def test_what_pillow_writes_and_reads(kind):
    data = encoded(Image.fromarray(smooth(9, 14, 4), "RGBA").convert(kind), "BMP")
    with Image.open(io.BytesIO(data)) as image:
        expected = {"P": "RGB", "1": "L"}.get(image.mode, image.mode)
        same(native(data), np.array(image.convert(expected)))


def test_24_bits_are_what_imagecodecs_gives():
    data = imagecodecs.bmp_encode(smooth(9, 14))
    same(native(data), imagecodecs.bmp_decode(data))
    same(native(data), smooth(9, 14))


ORDERS = [(header, order) for order in FIELDS for header in (40, 56, 124) if header > 40 or "X" in order]


@pytest.mark.parametrize(("header", "order"), ORDERS)
def test_the_order_of_32_bit_colours_is_that_of_the_header(order, header):
    stored, masks = values("u1", (5, 7, 4)), FIELDS[order]
    data = bitmap(
        32, 7, 5, stored[::-1].tobytes(), packing=3, masks=masks[: 3 if header == 40 else 4], header=header
    )
    wanted = [order.index(letter) for letter in ("RGBA" if "A" in order else "RGB")]
    same(native(data), stored[..., wanted].copy())


def test_the_fourth_byte_of_plain_32_bits_is_padding():
    stored = values("u1", (5, 7, 4))
    same(native(bitmap(32, 7, 5, stored[::-1].tobytes())), stored[..., 2::-1].copy())


@pytest.mark.parametrize(
    ("masks", "packing"),
    [
        ((0x7C00, 0x3E0, 0x1F, 0), 0),
        ((0x7C00, 0x3E0, 0x1F, 0), 3),
        ((0xF800, 0x7E0, 0x1F, 0), 3),
        ((0x7C00, 0x3E0, 0x1F, 0x8000), 3),
        ((0xF00, 0xF0, 0xF, 0xF000), 3),
        ((0xF000, 0xF00, 0xF0, 0xF), 6),
    ],
    ids=["555", "555 named", "565", "5551", "4444", "4444 of Windows CE"],
)
def test_16_bit_colours_are_spread_over_a_byte(masks, packing):
    stored = values("u2", (5, 6))
    named = () if packing == 0 else masks
    header = 40 if packing != 3 else 124
    rows = padded([row.tobytes() for row in stored[::-1].astype("<u2")])
    parts = []
    for mask in masks[: 4 if masks[3] else 3]:
        low = (mask & -mask).bit_length() - 1
        parts.append(
            (stored & mask).astype("i8") * 255 // mask
            if low == 0
            else (stored & mask) // (1 << low) * 255 // (mask >> low)
        )
    data = bitmap(16, 6, 5, rows, packing=packing, masks=named, header=header)
    same(native(data), np.stack([part.astype("u1") for part in parts], axis=2))
    if packing != 6 and not masks[3]:
        same(native(data), np.array(Image.open(io.BytesIO(data))))


def test_runs_of_8_bits():
    palette = [(10 * number, 0, 0) for number in range(16)]
    runs = bytes([2, 1, 3, 2, 0, 0]) + bytes([0, 5, 3, 4, 5, 6, 7, 0, 0, 0]) + bytes([0, 2, 2, 0, 1, 9, 0, 1])
    expected = np.array([[0, 0, 9, 0, 0], [3, 4, 5, 6, 7], [1, 1, 2, 2, 2]]) * 10
    data = bitmap(8, 5, 3, runs, palette=palette, packing=1, used=16)
    same(native(data)[..., 0].copy(), expected.astype("u1"))


def test_runs_of_4_bits():
    palette = [(10 * number, 0, 0) for number in range(16)]
    runs = bytes([5, 0x12, 0, 0]) + bytes([0, 5, 0x34, 0x56, 0x70, 0, 0, 1])
    expected = np.array([[3, 4, 5, 6, 7], [1, 2, 1, 2, 1]]) * 10
    data = bitmap(4, 5, 2, runs, palette=palette, packing=2, used=16)
    same(native(data)[..., 0].copy(), expected.astype("u1"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bitmap(24, 4, 4, bytes(40)), "1 of 4 rows are missing"),
        (
            bitmap(8, 4, 1, b"\1\2\3\4", palette=[(0, 0, 0)] * 4, used=4),
            "a colour of number 4 in a palette of 4",
        ),
        (bitmap(8, 4, 2, bytes([4, 1, 0, 0]), palette=[(9, 9, 9)] * 2, packing=1, used=2), "1 of 2 rows"),
        (bitmap(32, 1, 1, bytes(4), packing=3, masks=(0x3FF00000, 0xFFC00, 0x3FF)), "10-10-10-0 bits"),
        (bitmap(32, 1, 1, bytes(4), packing=3, masks=(0xF0F, 0xF0, 0xF000)), "which is not read"),
        (bitmap(24, 1, 1, bytes(4), packing=4), "JPEG"),
        (bitmap(64, 1, 1, bytes(8)), "64 bits a pixel"),
        (bitmap(24, 0, 1, bytes(4)), "0 x 1 pixels"),
        (bitmap(24, 4, 4, b"")[:30], "the file ends in its header"),
    ],
)
def test_damage_and_kinds_that_are_not_read_are_named(data, says):
    with pytest.raises(DecodeError, match=says):
        native(data)


def test_damage_can_be_salvaged():
    stored = values("u1", (4, 4, 3))
    image = decoded(bitmap(24, 4, 4, stored[::-1, :, ::-1].tobytes()[:40]), salvage=True)
    assert image.salvaged
    same(image.array[1:].copy(), stored[1:])


# Icons.


@pytest.mark.parametrize("says", [0, 24, 32], ids=["nothing", "another depth", "its depth"])
def test_alpha_of_32_bit_icons_is_as_stored(says):
    stored = values("u1", (5, 7, 4))
    mask = bytes(4 * 5)
    data = icon(32, 7, 5, stored[::-1].tobytes(), mask, says=says)
    same(native(data), stored[..., [2, 1, 0, 3]].copy())


@pytest.mark.parametrize("bits", [1, 4, 8, 24])
@pytest.mark.parametrize("says", [None, 0, 32], ids=["its depth", "nothing", "another depth"])
def test_masks_of_icons_become_alpha(bits, says):
    shown = np.random.default_rng(0).integers(0, 2, (5, 13), "u1")
    mask = padded(packed(1 - shown[::-1], 1))
    if bits == 24:
        colours = values("u1", (5, 13, 3))
        data = icon(24, 13, 5, padded([row.tobytes() for row in colours[::-1, :, ::-1]]), mask, says=says)
    else:
        palette = [
            *BLACK_AND_WHITE,
            *[tuple(colour) for colour in values("u1", ((1 << bits) - 2, 3)).tolist()],
        ]
        stored = numbers(bits)
        colours = np.array(palette, "u1")[stored]
        data = icon(bits, 13, 5, padded(packed(stored[::-1], bits)), mask, palette=palette, says=says)
    same(native(data), np.concatenate((colours, shown[..., None] * np.uint8(255)), axis=2))


def test_icons_of_black_and_white_in_8_bits():
    stored = numbers(8, 2)
    data = icon(8, 13, 5, padded(packed(stored[::-1], 8)), bytes(4 * 5), palette=BLACK_AND_WHITE)
    same(native(data)[..., 0].copy(), stored * np.uint8(255))


def test_an_icon_without_its_mask_is_truncated():
    data = icon(24, 4, 2, bytes(24), b"")
    with pytest.raises(DecodeError, match="the icon's mask is missing"):
        native(data)


def test_the_padding_behind_the_last_row_may_be_missing():
    array = values("u1", (3, 5, 3))
    rows = padded([row.tobytes() for row in array[::-1, :, ::-1]])
    same(native(bitmap(24, 5, 3, rows[:-1])), array)


@pytest.mark.parametrize(
    "data",
    [
        bitmap(32, 10_000, 10_000, b""),
        sun(24, 10_000, 10_000, 1, b""),
        b"P6 10000 10000 65535\n",
        tagged(np.zeros((1, 1, 3), "u1"), {256: ("L", [10_000]), 257: ("L", [10_000]), 278: ("L", [10_000])}),
    ],
    ids=["bmp", "sun", "ppm", "tiff"],
)
def test_pixels_that_are_missing_take_no_memory(data):
    script = "import resource, sys; from brinery.parser.decode import decode;"
    script += "from brinery.parser.options import DecodeOptions; import brinery.parser.images.frames;"
    script += "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak()\n"
    script += "try: next(iter(decode(bytes.fromhex(sys.argv[1]), DecodeOptions())))\n"
    script += "except Exception as error: print(type(error).__name__, peak() - before < 50_000)"
    done = subprocess.run(
        [sys.executable, "-c", script, data.hex()], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["DecodeError", "True"]
