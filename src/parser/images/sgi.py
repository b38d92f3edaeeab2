"""SGI images: rows of run lengths that end before their last pixel, which Pillow fills with zeros.

Source: the SGI image file format, version 1.00.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SgiFaults"]

_HEADER: Final = 512


class SgiFaults:
    """What is wrong with the rows of an SGI image.

    Args:
        data: the file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def before(self, frame: int) -> str:
        """Nothing: Pillow notices what is missing at the end."""
        del frame
        return ""

    def after(self, frame: int, array: NDArray[Any]) -> str:
        """Return which row is cut short, of those whose last sample is zero."""
        del frame
        data = self._data
        if data[2:4] != b"\1\1":  # run lengths of bytes
            return ""
        height, width = array.shape[:2]
        planes = array.reshape(height, width, -1)
        for row, plane in np.argwhere(planes[:, -1] == 0):
            place = _HEADER + 4 * int(height - 1 - row + plane * height)  # the first row is the lowest
            start = int.from_bytes(data[place : place + 4], "big")
            found = _pixels(data, start, width)
            if found < width:
                return f"truncated: {found:,} of {width:,} pixels of a row are there"
        return ""


def _pixels(data: bytes, at: int, wanted: int) -> int:
    """Count the pixels of a row."""
    found = 0
    while found < wanted and at < len(data):
        count = data[at] & 0x7F
        if not count:
            break
        at += 1 + (count if data[at] & 0x80 else 1)
        found += count
    return found
