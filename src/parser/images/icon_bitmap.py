"""The bitmap of an icon or cursor: its colours, and what its mask or its fourth bytes make of them.

Source: Microsoft, Icons (ICONIMAGE): a bitmap of twice the height, whose lower half is a mask of one bit.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from ...errors import DecodeError
from ..options import DecodeOptions
from .bmp import read_bitmap, read_pixels
from .pixels import check_pixels
from .stored import OneImage, Stored

__all__ = ["IconSource"]

_START: Final = 22
"""Where the bitmap begins in an icon of one image."""
_ALPHA: Final = 0xFF000000


class IconSource(OneImage):
    """The bitmap of an icon that holds this one alone: RGBA.

    Alpha is the fourth byte of 32-bit pixels as stored; else the mask gives it, 0 or 255.

    Args:
        data: the icon.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: a damaged header, too many pixels, or bitmaps that are not read.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        bitmap = read_bitmap(data, _START, 0)
        fields = (*bitmap.fields[:3], _ALPHA) if bitmap.bits == 32 else bitmap.fields
        self._bitmap = replace(bitmap, height=bitmap.height // 2, fields=fields)
        if not self._bitmap.height:
            raise DecodeError("damaged: an icon of no rows")
        check_pixels(bitmap.width, self._bitmap.height, options.max_pixels)
        self._data = data
        self._salvage = options.salvages(bitmap.width, self._bitmap.height, len(data))

    def read(self) -> Stored:
        """Decode the image.

        Raises:
            DecodeError: truncated, or a colour beyond the palette; not with salvage.
        """
        bitmap = self._bitmap
        pixels, salvaged = read_pixels(self._data, bitmap, salvage=self._salvage)
        if pixels.ndim == 3 and pixels.shape[2] == 4:
            return Stored(pixels, salvaged=salvaged)
        out = np.full((bitmap.height, bitmap.width, 4), 255, np.uint8)
        out[..., :3] = pixels if pixels.ndim == 3 else pixels[..., None]
        start = bitmap.start + (bitmap.width * bitmap.bits + 31) // 32 * 4 * bitmap.height
        stride = (bitmap.width + 31) // 32 * 4
        mask = np.frombuffer(self._data[start : start + stride * bitmap.height], np.uint8)
        if mask.size < stride * bitmap.height:
            if not self._salvage:
                raise DecodeError("truncated: the icon's mask is missing")
            return Stored(out, salvaged=True)
        hidden = np.unpackbits(mask.reshape(bitmap.height, stride), axis=1, count=bitmap.width)[::-1]
        out[..., 3] = (1 - hidden) * np.uint8(255)
        return Stored(out, salvaged=salvaged)
