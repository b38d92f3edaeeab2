"""EXIF orientation: read from its directory, and applied to arrays."""

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["oriented", "tiff_orientation", "xmp_orientation"]

_TAG: Final = 0x0112
_XMP: Final = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")


def tiff_orientation(data: bytes) -> int:
    """Return the orientation in the first directory of a TIFF structure; 0 where it says nothing."""
    order: Any = {b"II": "little", b"MM": "big"}.get(data[:2])
    if order is None:
        return 0
    start = int.from_bytes(data[4:8], order)
    count = int.from_bytes(data[start : start + 2], order)
    for at in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        if int.from_bytes(data[at : at + 2], order) == _TAG:
            size = {1: 1, 3: 2, 4: 4}.get(int.from_bytes(data[at + 2 : at + 4], order), 2)
            value = int.from_bytes(data[at + 8 : at + 8 + size], order)
            return value if 1 <= value <= 8 else 0
    return 0


def xmp_orientation(packet: bytes) -> int:
    """Return the orientation in a packet of XMP; 0 where it says nothing."""
    match = _XMP.search(packet)
    return int(match[1]) if match else 0


def oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the pixels (H, W) or (H, W, C) turned for display; a contiguous array of the same dtype."""
    if orientation in {5, 6, 7, 8}:
        array = array.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        array = array[::-1]
    if orientation in {2, 3, 6, 7}:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)
