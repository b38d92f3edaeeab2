"""PNG: colours of 16 bits in full, which Pillow cuts to their high bytes."""

import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import DecodeError
from ..options import DecodeOptions
from .modes import bands, in_bands, with_alpha
from .pillow import load, open_image
from .pillow_source import PillowSource, orientation
from .stored import Stored

if TYPE_CHECKING:
    from PIL import Image, ImageFile

__all__ = ["PngSource"]

_DEEP: Final = {2: "RGB", 4: "LA", 6: "RGBA"}
"""Colour types of several channels (PNG, third edition, 11.2.1)."""

_OTHERS: Final = {"CgBI": ": Apple's variant for its phones, whose red and blue change places"}


class PngSource(PillowSource):
    """The frames of a PNG; colours of 16 bits come as uint16 in the first one.

    Args:
        data: the encoded image.
        options: budgets, the mode, and whether damaged images are kept.

    Raises:
        DecodeError: too many pixels.
        Exception: whatever Pillow raises for a damaged header.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        if data[12:16] != b"IHDR":
            name = data[12:16].decode("latin-1")
            raise DecodeError(f"PNG whose first chunk is {name!r} and not its header" + _OTHERS.get(name, ""))
        super().__init__(data, "PNG", options)
        depth, colour = data[24], data[25]
        self._deep = _DEEP.get(colour) if depth == 16 else None
        self._first = True

    def seek(self, frame: int) -> tuple[int, int]:
        """Go to a later frame; return its width and height."""
        self._first = False
        return super().seek(frame)

    def read(self) -> Stored:
        """Decode the frame.

        Raises:
            DecodeError: a later frame with 16-bit colours, which Pillow would blend in 8 bits.
            Exception: whatever Pillow raises for damage.
        """
        transparent = self._image.info.get("transparency")
        if self._deep is None or (self._options.mode != "native" and transparent is None):
            return super().read()  # whose 8 bits are the high bytes
        if not self._first:
            raise DecodeError("16-bit colours in a later frame of an animation: Pillow would blend 8 bits")
        array, salvaged = self._grey_alpha() if self._deep == "LA" else self._colours(self._deep)
        if isinstance(transparent, tuple):
            array = with_alpha(array, (array == np.array(transparent)).all(axis=-1))
        return Stored(array, None, None, orientation(self._image), salvaged)

    def _grey_alpha(self) -> tuple[NDArray[Any], bool]:
        """Grey and alpha of 16 bits; a pixel is filtered like one of 8-bit RGBA, which Pillow keeps."""
        width, height = self._image.size
        header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 6, *self._data[26:29])
        checked = header + zlib.crc32(header).to_bytes(4, "big")
        image = open_image(self._data[:12] + checked + self._data[33:], "PNG", self._options.max_pixels)
        salvaged = load(image, salvage=self._options.salvages(*image.size, len(self._data)))
        return in_bands(image, lambda band: np.array(band).view(">u2").astype(np.uint16)), salvaged

    def _colours(self, mode: str) -> tuple[NDArray[Any], bool]:
        """Return colours of 16 bits, decoded once for the high bytes and once for the low ones."""
        image, salvaged = self._bytes_of_colours(f"{mode};16B")  # numbers are cut to their first byte
        array = in_bands(image, lambda band: np.asarray(band).astype(np.uint16) << 8)
        del image
        image, salvaged = self._bytes_of_colours(f"{mode};16L")  # and here to their second
        for top, band in bands(image):
            array[top : top + band.height] |= np.asarray(band)
        return array, salvaged

    def _bytes_of_colours(self, raw_mode: str) -> tuple["Image.Image", bool]:
        image = cast("ImageFile.ImageFile", open_image(self._data, "PNG", self._options.max_pixels))
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        return image, load(image, salvage=self._options.salvages(*image.size, len(self._data)))
