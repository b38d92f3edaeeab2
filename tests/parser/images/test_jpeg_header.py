"""A JPEG's orientation and size without decoding."""

import pytest
from PIL import Image

from brinery.parser.images.jpeg_header import read_header

from ..samples import encoded, smooth


def orientation(data):
    return read_header(data).orientation


def with_exif(body):
    data = encoded(smooth(8, 8), "JPEG")
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


@pytest.mark.parametrize("order", ["little", "big"])
def test_both_byte_orders(order):
    def short(value):
        return value.to_bytes(2, order)

    def long(value):
        return value.to_bytes(4, order)

    entry = short(0x0112) + short(3) + long(1) + short(6) + b"\0\0"
    tiff = (b"II" if order == "little" else b"MM") + short(42) + long(8) + short(1) + entry + long(0)
    assert orientation(with_exif(b"Exif\0\0" + tiff)) == 6
    for wrong in (0, 9, 600):
        changed = tiff.replace(short(6) + b"\0\0", short(wrong) + b"\0\0")
        assert orientation(with_exif(b"Exif\0\0" + changed)) == 1


def test_xmp_says_it_where_exif_does_not():
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>'
    data = with_exif(xmp)
    assert orientation(data) == 8
    exif = Image.Exif()
    exif[0x0112] = 3
    both = with_exif(b"Exif\0\0" + exif.tobytes()[6:])
    assert orientation(both[:2] + data[2:] + both[2:]) == 8  # the second image is not looked at
    assert orientation(both) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0MM\0*\xff\xff\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
    ],
)
def test_broken_exif_says_nothing(body):
    assert orientation(with_exif(body)) == 1
    assert orientation(with_exif(body)[:20]) == 1


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (smooth(31, 17), {}, (17, 31, 3)),
        (smooth(31, 17), {"progressive": True}, (17, 31, 3)),
        (smooth(31, 17), {"optimize": True, "subsampling": 0}, (17, 31, 3)),
        (Image.fromarray(smooth(31, 17)).convert("L"), {}, (17, 31, 1)),
        (Image.fromarray(smooth(31, 17)).convert("CMYK"), {}, (17, 31, 4)),
    ],
)
def test_size_and_components(image, options, expected):
    assert read_header(encoded(image, "JPEG", **options))[1:4] == expected


def test_what_is_not_plain_to_follow_has_no_size():
    data = encoded(smooth(8, 8), "JPEG")
    assert read_header(data[:2] + b"garbage" + data[2:])[1:4] == (0, 0, 0)
    assert read_header(data[:60])[1:4] == (0, 0, 0)
    assert read_header(data[:2] + b"\xff\xff\xff" + data[2:])[1:4] == (8, 8, 3)  # fill bytes
