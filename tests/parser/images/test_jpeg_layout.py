"""What a JPEG is made of, by its markers."""

import pytest
import simplejpeg

from brinery.parser.images.jpeg_layout import lost_scans, read_layout, tidied

from .jpegs import ARITHMETIC, UNUSUAL_SAMPLING, cmyk, inserted, marker, photo, replaced, scan_data, segment


@pytest.mark.parametrize(
    ("data", "code", "scans"),
    [
        (photo(), 0xC0, 1),
        (photo(progressive=True), 0xC2, 10),
        (cmyk(progressive=True), 0xC2, 18),
        (ARITHMETIC, 0xC9, 1),
    ],
    ids=["plain", "progressive", "CMYK", "arithmetic"],
)
def test_sound_ones_are_whole(data, code, scans):
    layout = read_layout(data)
    assert layout.frame.code == code
    assert len(layout.scans) == scans
    assert layout.ended
    assert lost_scans(layout) == ""
    assert tidied(data, layout) == data


def test_frame_and_scan_say_what_stands_there():
    layout = read_layout(UNUSUAL_SAMPLING)
    assert layout.frame[1:4] == (8, 24, 32)
    assert [(name, factors) for name, factors, _ in layout.frame.components] == [
        (1, 0x21),
        (2, 0x11),
        (3, 0x12),
    ]
    (scan,) = layout.scans
    assert (scan.components, scan.first, scan.last, scan.high, scan.low) == (b"\1\2\3", 0, 63, 0, 0)
    assert scan.data == scan_data(UNUSUAL_SAMPLING)
    assert UNUSUAL_SAMPLING[scan.end :] == b"\xff\xd9"


def test_what_changes_no_pixel_is_taken_out():
    data = photo()
    odd = inserted(data, marker(data, 0xC4), b"\0\1\2")
    odd = inserted(replaced(odd, 11, b"\x09"), 2, segment(0xE5, b"something"))[:-2]
    layout = read_layout(odd)
    assert not layout.ended
    assert tidied(odd, layout) == data
    assert tidied(data + b"appended", read_layout(data + b"appended")) == data


def test_scans_that_are_missing_are_named():
    data = photo(progressive=True)
    for number in range(1, 10):
        assert "missing" in lost_scans(read_layout(data[: marker(data, 0xDA, number)] + b"\xff\xd9"))
    layout = read_layout(data)
    for number in (1, 3, 6):  # each is refined by a later one
        without = layout._replace(scans=layout.scans[:number] + layout.scans[number + 1 :])
        assert lost_scans(without)
    plain = read_layout(photo())
    scan = plain.scans[0]._replace(components=b"\1")
    assert lost_scans(plain._replace(scans=(scan,))) == "no scan of 2 of 3 components"


@pytest.mark.parametrize("cut", range(0, 700, 3))
def test_anything_can_be_followed(cut):
    data = photo()
    for part in (data[:cut], data[:cut] + bytes(99), data[:cut] + b"\xff" * 99 + data[cut:]):
        layout = read_layout(part)
        lost_scans(layout)
        simplejpeg.decode_jpeg(data)
        assert tidied(part, layout).endswith(b"\xff\xd9")
