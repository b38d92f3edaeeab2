"""EXIF orientation: found without decoding, and applied to arrays."""

import re
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["jpeg_orientation", "oriented"]

_TAG: Final = 0x0112
_SEGMENT: Final = struct.Struct(">HH").unpack_from
_APP1: Final = 0xFFE1
_PIXELS_FOLLOW: Final = frozenset({0xFFDA, 0xFFD9})
_WITHOUT_LENGTH: Final = frozenset({0xFF01, *range(0xFFD0, 0xFFD9)})
_XMP: Final = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def jpeg_orientation(data: bytes) -> int:
    """The EXIF orientation of a JPEG (1 to 8; 1 where it says none), from EXIF, else from XMP."""
    position, found, last = 2, 1, len(data) - 4
    while position <= last:
        marker, length = _SEGMENT(data, position)
        if marker == _APP1:
            segment = data[position + 4 : position + 2 + length]
            if segment.startswith(b"Exif\0\0"):
                value = _tiff_orientation(segment[6:])
                if value:
                    return value
            elif match := _XMP.search(segment):
                found = int(match[1])
        elif marker == 0xFFFF:
            position += 1  # fill bytes
            continue
        elif marker in _WITHOUT_LENGTH:
            position += 2
            continue
        elif marker < 0xFF00 or marker in _PIXELS_FOLLOW:
            break
        position += 2 + length
    return found


def _tiff_orientation(data: bytes) -> int:
    """The orientation in the first directory of a TIFF structure; 0 where there is none."""
    order: Any = {b"II": "little", b"MM": "big"}.get(data[:2])
    if order is None:
        return 0
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        if int.from_bytes(data[at : at + 2], order) == _TAG:
            value = int.from_bytes(data[at + 8 : at + 10], order)
            return value if 1 <= value <= 8 else 0
    return 0


def oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The pixels (H, W) or (H, W, C) as they are to be shown; a contiguous array of the same dtype."""
    if orientation in {5, 6, 7, 8}:
        array = array.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
