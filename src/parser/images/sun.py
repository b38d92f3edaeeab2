"""Sun raster files of 1, 8, 24 and 32 bits.

Sources: Sun's rasterfile(5) manual page; run lengths as in the Encyclopedia of Graphics File Formats.
"""

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import DecodeOptions
from .pixels import check_pixels
from .stored import OneImage, Stored

__all__ = ["SunSource"]

_PACKED, _RED_FIRST = 2, 3
_TYPES: Final = frozenset({0, 1, _PACKED, _RED_FIRST, 4, 5})
_ESCAPE: Final = b"\x80"


class SunSource(OneImage):
    """The one image of a file: grey, or RGB where it has a palette or colours.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: a damaged header, too many pixels, or depths and palettes that are not read.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        try:
            _, width, height, depth, _, kind, mapped, length = struct.unpack_from(">8I", data)
        except struct.error as error:
            raise DecodeError("truncated: the file ends in its header") from error
        if not (width and height):
            raise DecodeError(f"damaged: {width} x {height} pixels")
        check_pixels(width, height, options.max_pixels)
        if depth not in {1, 8, 24, 32} or kind not in _TYPES:
            raise DecodeError(f"Sun raster of {depth} bits and type {kind}, which is not read")
        if length and (mapped != 1 or length % 3 or depth > 8):
            raise DecodeError(
                f"Sun raster of {depth} bits with a palette of type {mapped}, which is not read"
            )
        self._data, self._salvage = data, options.salvages(width, height, len(data))
        self._size, self._depth, self._kind, self._palette = (width, height), depth, kind, length

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: truncated, or a colour beyond the palette; not with salvage.
        """
        (width, height), depth = self._size, self._depth
        stride = (width * depth + 15) // 16 * 2
        start = 32 + self._palette
        raw = self._data[start : start + stride * height]
        if self._kind == _PACKED:
            raw = _unpacked(self._data, start, stride * height)
        used = (width * depth + 7) // 8  # the padding behind the last row may be missing
        missing = 0 if len(raw) >= (height - 1) * stride + used else height - len(raw) // stride
        if missing and not self._salvage:
            raise DecodeError(f"truncated: {missing:,} of {height:,} rows are missing")
        rows = np.frombuffer(raw.ljust(stride * height, b"\0"), np.uint8).reshape(height, stride)
        array, beyond = self._meant(rows)
        if beyond and not self._salvage:
            raise DecodeError("damaged: a colour beyond the palette")
        return Stored(array, salvaged=bool(missing) or beyond)

    def _meant(self, rows: NDArray[np.uint8]) -> tuple[NDArray[Any], bool]:
        """Return rows of bytes as pixels, and whether some have no colour."""
        (width, height), depth = self._size, self._depth
        if depth > 8:
            size = depth // 8
            pixels = rows[:, : width * size].reshape(height, width, size)[
                ..., size - 3 :
            ]  # padding comes first
            return (pixels if self._kind == _RED_FIRST else pixels[..., ::-1]).copy(), False
        numbers = np.unpackbits(rows, axis=1, count=width) if depth == 1 else rows[:, :width].copy()
        if not self._palette:
            return (numbers ^ 1) * np.uint8(255) if depth == 1 else numbers, False
        palette = np.frombuffer(self._data[32 : 32 + self._palette], np.uint8).reshape(3, -1).T
        palette = np.concatenate((palette, np.zeros((max(0, (1 << depth) - len(palette)), 3), np.uint8)))
        return palette[numbers], int(numbers.max()) >= self._palette // 3


def _unpacked(data: bytes, at: int, size: int) -> bytes:
    """Return bytes with runs unpacked: 0x80, the length less one, the value; 0x80 0 is 0x80 itself."""
    out = bytearray()
    while len(out) < size and at < len(data):
        mark = data.find(_ESCAPE, at)
        stop = len(data) if mark < 0 else mark
        out += data[at : min(stop, at + size - len(out))]
        if mark < 0 or mark + 2 > len(data) or len(out) >= size:
            break
        count = data[mark + 1]
        if count:
            out += data[mark + 2 : mark + 3] * (count + 1)
        else:
            out += _ESCAPE
        at = mark + (3 if count else 2)
    return bytes(out[:size])
