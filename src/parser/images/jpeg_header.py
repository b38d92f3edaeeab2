"""What a JPEG says of itself before its pixels, in one walk over its segments (ITU-T T.81, annex B)."""

import struct
from typing import Final, NamedTuple

from .exif import tiff_orientation, xmp_orientation

__all__ = ["JpegHeader", "read_header"]

_SEGMENT: Final = struct.Struct(">HH").unpack_from
_FRAME: Final = struct.Struct(">HHB").unpack_from
_APP1: Final = 0xFFE1
_FRAMES: Final = frozenset(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
_SEQUENTIAL: Final = frozenset({0xFFC008, 0xFFC108})  # SOF0 and SOF1, of 8 bits
_PIXELS_FOLLOW: Final = frozenset({0xFFDA, 0xFFD9})
_WITHOUT_LENGTH: Final = frozenset({0xFF01, *range(0xFFD0, 0xFFD9)})
_LONGEST_KEPT: Final = 1 << 16


class JpegHeader(NamedTuple):
    """What stands before the pixels.

    Attributes:
        orientation: 1 to 8 by EXIF, else by XMP; 1 where neither says.
        width: in pixels; 0 where no frame header was found or the segments are not plain to follow.
        height: in pixels, 0 as the width.
        components: how many colours a pixel has, 0 as the width.
        plain: of 8 bits, Huffman-coded, all colours in one scan: libjpeg-turbo tells whether it is whole.
    """

    orientation: int
    width: int = 0
    height: int = 0
    components: int = 0
    plain: bool = False


_last: tuple[bytes, JpegHeader] = (b"\0", JpegHeader(1))  # what the last walk saw, and what it found


def read_header(data: bytes) -> JpegHeader:
    """Read a JPEG's orientation and its size; never raises, damaged ones are the decoder's to refuse.

    Images of one encoder, size and quality often begin alike: the same bytes are not walked over again.
    """
    global _last  # noqa: PLW0603 - one tuple in one store, which threads may do at the same time
    seen, header = _last
    if data.startswith(seen):
        return header
    position, last = 2, len(data) - 10
    by_exif, by_xmp = 0, 1
    height = width = components = process = 0
    while position <= last:
        marker, length = _SEGMENT(data, position)
        if marker in _FRAMES:
            height, width, components = _FRAME(data, position + 5)
            process = marker << 8 | data[position + 4]
        elif marker == _APP1:
            if not by_exif:
                segment = data[position + 4 : position + 2 + length]
                if segment.startswith(b"Exif\0\0"):
                    by_exif = tiff_orientation(segment[6:])
                else:
                    by_xmp = xmp_orientation(segment) or by_xmp
        elif marker in _PIXELS_FOLLOW:
            plain = process in _SEQUENTIAL and data[position + 4] == components
            header = JpegHeader(by_exif or by_xmp, width, height, components, plain)
            if position < _LONGEST_KEPT:
                _last = (data[: position + 10], header)
            return header
        elif marker == 0xFFFF:
            position += 1  # fill bytes
            continue
        elif marker in _WITHOUT_LENGTH:
            position += 2
            continue
        elif marker <= 0xFF00:  # decoders search for the next marker, each in its way
            return JpegHeader(by_exif or by_xmp)
        position += 2 + length
    return JpegHeader(by_exif or by_xmp, width, height, components)
