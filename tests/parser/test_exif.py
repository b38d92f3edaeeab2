"""EXIF orientation without decoding."""

import pytest
from PIL import Image

from brinery.parser.exif import jpeg_orientation

from .samples import encoded, smooth


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
    assert jpeg_orientation(with_exif(b"Exif\0\0" + tiff)) == 6
    for wrong in (0, 9, 600):
        changed = tiff.replace(short(6) + b"\0\0", short(wrong) + b"\0\0")
        assert jpeg_orientation(with_exif(b"Exif\0\0" + changed)) == 1


def test_xmp_says_it_where_exif_does_not():
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="8"/>'
    data = with_exif(xmp)
    assert jpeg_orientation(data) == 8
    exif = Image.Exif()
    exif[0x0112] = 3
    both = with_exif(b"Exif\0\0" + exif.tobytes()[6:])
    assert jpeg_orientation(both[:2] + data[2:] + both[2:]) == 8  # the second image is not looked at
    assert jpeg_orientation(both) == 3


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
    assert jpeg_orientation(with_exif(body)) == 1
    assert jpeg_orientation(with_exif(body)[:20]) == 1
