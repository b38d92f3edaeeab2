"""Orientation: how it is read, and how it turns pixels."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from brinery.parser.images.exif import oriented, tiff_orientation, xmp_orientation

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def exif(orientation):
    """The TIFF structure that Pillow writes for an orientation."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_pillow_writes_is_read(orientation):
    assert tiff_orientation(exif(orientation)) == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(orientation):
    stream = io.BytesIO()
    tags = Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(PIXELS).save(stream, "PNG", exif=tags)
    turned = oriented(PIXELS, orientation)
    np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(Image.open(stream))))
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(oriented(PIXELS[..., 0], orientation), turned[..., 0])


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("kind", "size"), [(3, 2), (4, 4)], ids=["SHORT", "LONG"])
def test_a_value_is_read_in_its_order_and_type(order, kind, size):
    def number(value, length):
        return value.to_bytes(length, order)

    entry = number(0x0112, 2) + number(kind, 2) + number(1, 4) + number(6, size).ljust(4, b"\0")
    head = {"little": b"II", "big": b"MM"}[order] + number(42, 2) + number(8, 4)
    assert tiff_orientation(head + number(1, 2) + entry + bytes(4)) == 6


@pytest.mark.parametrize(
    "data", [b"", b"II", b"II*\0\xff\xff\xff\xff", exif(9), exif(0), b"XX" + exif(6)[2:], exif(6)[:12]]
)
def test_what_says_nothing_is_no_orientation(data):
    assert tiff_orientation(data) == 0


@pytest.mark.parametrize(
    ("packet", "orientation"),
    [
        (b'<rdf:Description tiff:Orientation="6"/>', 6),
        (b"<tiff:Orientation>3</tiff:Orientation>", 3),
        (b'<x tiff:Orientation="9"/>', 0),
        (b"<x/>", 0),
    ],
)
def test_xmp_says_it_as_an_attribute_or_an_element(packet, orientation):
    assert xmp_orientation(packet) == orientation
