"""Sun raster files of every depth: known bytes give the pixels in them, and damage is named."""

import numpy as np
import pytest

from brinery.errors import DecodeError

from .bitmaps import padded, sun
from .formats import native, same, values


@pytest.mark.parametrize("width", [4, 5])
@pytest.mark.parametrize("kind", [0, 1, 2, 3], ids=["old", "standard", "packed", "red first"])
@pytest.mark.parametrize("depth", [1, 8, 24, 32])
def test_sun_rasters_of_every_depth(depth, kind, width):
    if depth == 1:
        bits = np.random.default_rng(0).integers(0, 2, (3, width), "u1")
        expected, rows = (1 - bits) * np.uint8(255), [row.tobytes() for row in np.packbits(bits, axis=1)]
    elif depth == 8:
        expected = values("u1", (3, width))
        rows = [row.tobytes() for row in expected]
    else:
        expected = values("u1", (3, width, 3))
        colours = expected if kind == 3 else expected[..., ::-1]
        pad = np.full((3, width, depth // 8 - 3), 77, "u1")
        rows = [row.tobytes() for row in np.concatenate((pad, colours), axis=2)]
    body = padded(rows, 2)
    if kind == 2:
        body = body.replace(b"\x80", b"\x80\0")
    same(native(sun(depth, width, 3, kind, body)), expected)


def test_the_padding_behind_the_last_row_may_be_missing():
    array = values("u1", (3, 5, 3))
    rows = padded([row.tobytes() for row in array[..., ::-1]], 2)
    same(native(sun(24, 5, 3, 1, rows[:-1])), array)


def test_sun_runs_and_palettes():
    palette = np.array([[1, 2, 3], [40, 50, 60], [7, 8, 9]], "u1")
    body = bytes([0x80, 3, 1, 2, 0, 0, 0x80, 1, 2])
    expected = palette[[[1, 1, 1, 1, 2], [0, 2, 2, 0, 0]]]
    data = sun(8, 5, 2, 2, body + bytes(3), palette.T.tobytes())
    same(native(data), expected)
    bits = sun(1, 8, 1, 1, b"\xa0\0", palette[:2].T.tobytes())
    same(native(bits), palette[[[1, 0, 1, 0, 0, 0, 0, 0]]])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (sun(24, 4, 4, 1, bytes(40)), "1 of 4 rows are missing"),
        (sun(8, 4, 2, 2, b"\x80\3\1"), "1 of 2 rows are missing"),
        (sun(8, 2, 1, 1, b"\0\2", bytes(6)), "a colour beyond the palette"),
        (sun(4, 2, 1, 1, b"\0\2"), "4 bits and type 1"),
        (sun(8, 2, 1, 7, b"\0\2"), "type 7"),
        (sun(8, 0, 1, 1, b""), "0 x 1 pixels"),
        (sun(8, 1, 1, 1, b"")[:20], "ends in its header"),
    ],
)
def test_sun_damage_is_named(data, says):
    with pytest.raises(DecodeError, match=says):
        native(data)
