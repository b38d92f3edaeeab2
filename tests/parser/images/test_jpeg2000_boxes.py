"""What the boxes of a JPEG 2000 file say, before its pixels: from boxes made by hand."""

import struct

import pytest

from brinery.errors import DecodeError
from brinery.parser.images.jpeg2000_boxes import Component, Palette, read_boxes

SIZE = (7, 5)  # width and height
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
TURNED = b"II*\0\x08\0\0\0\1\0" + struct.pack("<2H2L", 0x0112, 3, 1, 6) + bytes(4)


def codestream(*components, origin=(2, 1)):
    """The start of one: of components (bits less one, every how many pixels across, and down)."""
    places = (SIZE[0] + origin[0], SIZE[1] + origin[1], *origin)
    sizes = struct.pack(">H8IH", 0, *places, 7, 5, 0, 0, len(components))
    raw = b"".join(bytes(component) for component in components)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", 2 + len(sizes) + len(raw)) + sizes + raw


GREY = codestream((7, 1, 1))


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def file(*header, stream=GREY, before=b""):
    start = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + before + box(b"jp2h", b"".join(header)) + box(b"jp2c", stream)


def colours(method, tail):
    return box(b"colr", bytes([method, 0, 0]) + tail)


def test_a_bare_codestream_says_its_size_and_its_components():
    data = codestream((7, 1, 1), (0x8B, 2, 1))
    found = read_boxes(data)
    assert (found.start, found.end, found.width, found.height) == (0, len(data), *SIZE)
    assert found.components == (Component(8, False, 1, 1), Component(12, True, 2, 1))
    assert (found.space, found.palette, found.channels, found.orientation) == (None, None, (), 1)


def test_a_file_says_where_its_codestream_is_and_what_its_channels_are():
    entries = box(b"pclr", struct.pack(">HB", 2, 2) + bytes([7, 0x8B]) + b"\x10\1\2" + b"\x20\3\4")
    mapping = box(b"cmap", struct.pack(">HBB", 0, 1, 0) + struct.pack(">HBB", 1, 0, 9))
    channels = box(b"cdef", struct.pack(">7H", 2, 0, 0, 1, 1, 1, 0))
    data = file(colours(1, struct.pack(">I", 17)), entries, mapping, channels)
    found = read_boxes(data)
    assert data[found.start : found.end] == GREY
    assert found.space == 17
    assert found.palette == Palette(((0x10, 0x0102), (0x20, 0x0304)), (8, -12))
    assert found.mapping == ((0, 0), (1, None))
    assert found.channels == ((0, 0, 1), (1, 1, 0))


def test_the_first_colour_space_counts():
    profile = colours(2, bytes(16) + b"CMYK" + bytes(108))
    found = read_boxes(file(profile, colours(1, struct.pack(">I", 16))))
    assert (found.space, found.profile) == (None, b"CMYK")


def test_exif_comes_before_xmp():
    exif = box(b"uuid", b"JpgTiffExif->JP2" + TURNED)
    xmp = box(b"uuid", XMP + b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>')
    assert read_boxes(file(before=xmp)).orientation == 3
    assert read_boxes(file(before=xmp + exif)).orientation == 6


def test_the_last_box_may_leave_its_length_open_or_have_a_long_one():
    whole = file()
    head = whole[: -len(GREY) - 8]
    for size in (bytes(4) + b"jp2c", b"\0\0\0\1jp2c" + struct.pack(">Q", 16 + len(GREY))):
        data = head + size + GREY
        found = read_boxes(data)
        assert data[found.start : found.end] == GREY


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (file()[:40], "there is no codestream"),
        (file(stream=b"\xff\x4f\xff\x52" + GREY[4:]), "does not begin with its sizes"),
        (file(stream=GREY[:-1]), "truncated: the codestream ends in its header"),
        (file(box(b"pclr", struct.pack(">HB", 9, 1) + b"\7\1")), "the palette is cut short"),
        (file(box(b"pclr", b"\0")), "a box of the header is cut short"),
        (file(before=b"\0\0\0\4free"), "a box of 4 bytes"),
    ],
)
def test_damage_is_named(data, says):
    with pytest.raises(DecodeError, match=says):
        read_boxes(data)
