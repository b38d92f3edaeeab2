"""Rows of SGI images that end before their last pixel."""

import struct

import numpy as np
import pytest

from brinery.errors import DecodeError
from brinery.parser.images.sgi import SgiFaults

from ..samples import encoded
from .formats import decoded, native


def sgi(*rows):
    """A grey SGI image of 4 pixels a row, of run lengths, the lowest row first."""
    header = struct.pack(">hBB4HII", 474, 1, 1, 2, 4, len(rows), 1, 0, 255).ljust(512, b"\0")
    begin = 512 + 8 * len(rows)
    starts = [begin + sum(map(len, rows[:row])) for row in range(len(rows))]
    table = struct.pack(f">{2 * len(rows)}I", *starts, *map(len, rows))
    return header + table + b"".join(rows)


def test_rows_of_an_sgi_image_that_end_early_are_damage():
    assert native(sgi(b"\x04\7\0", b"\x83\1\2\3\1\0\0")).tolist() == [[1, 2, 3, 0], [7, 7, 7, 7]]
    short = sgi(b"\x02\7\0", b"\x04\5\0")
    with pytest.raises(DecodeError, match="damaged SGI: truncated: 2 of 4 pixels of a row are there"):
        native(short)
    assert decoded(short, salvage=True).salvaged


def test_a_row_is_looked_at_where_its_last_pixel_is_zero():
    faults = SgiFaults(sgi(b"\x02\7\0", b"\x04\5\0"))
    assert faults.before(0) == ""
    assert faults.after(0, np.array([[5, 5, 5, 5], [7, 7, 0, 0]], "u1")).startswith("truncated: 2 of 4")
    assert faults.after(0, np.array([[5, 5, 5, 5], [7, 7, 0, 7]], "u1")) == ""


def test_images_without_run_lengths_and_pillows_own_are_sound():
    plain = encoded(np.zeros((3, 4, 3), "u1"), "SGI", rle=False)
    assert SgiFaults(plain).after(0, np.zeros((3, 4, 3), "u1")) == ""
    assert not native(plain).any()
