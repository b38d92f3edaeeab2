"""Scans counted through code by code."""

import pytest

from brinery.parser.images.huffman import ScanFault, check_scans
from brinery.parser.images.jpeg_layout import read_layout

from ..samples import encoded, smooth
from .jpegs import UNUSUAL_SAMPLING, cmyk, inserted, photo, replaced, scan_data

KINDS = {
    "4:2:0": {},
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2", "quality": 30},
    "restarts": {"restart_marker_blocks": 3},
    "restarts of a row": {"restart_marker_rows": 1},
    "tables of its own": {"optimize": True},
    "finest": {"quality": 100},
}


def check(data):
    check_scans(data, read_layout(data))


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_sound_scans_end_where_their_data_ends(options):
    for data in (
        photo(**options),
        encoded(smooth(33, 41, 1), "JPEG", **options),
        cmyk(**options),
        UNUSUAL_SAMPLING,
    ):
        check(data)
        check(inserted(data, len(data) - 2, b"\xff\xff"))


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_every_byte_that_is_missing_is_noticed(options):
    data = photo(**options)
    for count in (1, 2, 50):
        with pytest.raises(ScanFault, match="premature end of data"):
            check(data[: -2 - count] + b"\xff\xd9")


def test_padding_is_told_from_pixels_that_are_left_over():
    data = photo()
    for padding in (b"\0", bytes(500), b"\x55" * 20, b"stray bytes", b"\1\2\3"):
        check(inserted(data, len(data) - 2, padding))
    fewer = replaced(data, data.index(b"\xff\xc0") + 5, (80).to_bytes(2, "big"))  # of its 96 rows
    with pytest.raises(ScanFault, match=r"lost its place: [\d,]+ bytes of pixels are left over"):
        check(fewer)


def test_zeros_that_begin_before_the_end_are_a_hole():
    data = photo(quality=98)
    for at in range(scan_data(data) + 500, len(data) - 2, 611):
        with pytest.raises(ScanFault):
            check(data[:at] + bytes(len(data) - at - 2) + b"\xff\xd9")


def test_codes_that_do_not_exist_are_noticed():
    data = photo()
    half = (scan_data(data) + len(data)) // 2
    with pytest.raises(ScanFault, match="bad Huffman code"):
        check(replaced(data, half, b"\xff\0" * 20))
    tables = data.index(b"\xff\xc4")
    with pytest.raises(ScanFault, match="a scan without its tables"):
        check(data[:tables] + data[data.index(b"\xff\xda") :])
