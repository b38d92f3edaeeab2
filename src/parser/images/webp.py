"""WebP: a still image is decoded by libwebp straight into its array.

Pillow decodes all of them as animations: two canvases of libwebp's, a copy of one, an image and an array.
"""

import ctypes
from functools import cache
from typing import Any, Final

import numpy as np

from ..options import DecodeOptions
from .pillow_source import PillowSource, orientation
from .stored import Stored

__all__ = ["WebpSource"]

_TAKES: Final = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
"""Of WebPDecodeRGBInto: the file, its length, where the pixels go, bytes that are there, those of a row."""


class WebpSource(PillowSource):
    """The frames of a WebP.

    Args:
        data: the encoded image.
        options: budgets, and whether damaged images are kept.

    Raises:
        DecodeError: too many pixels.
        Exception: whatever Pillow raises for a damaged header.
    """

    def __init__(self, data: bytes, options: DecodeOptions) -> None:
        super().__init__(data, "WEBP", options)

    def read(self) -> Stored:
        """Decode the frame.

        Raises:
            Exception: whatever Pillow raises for damage.
        """
        image: Any = self._image
        function = _function(f"WebPDecode{image.mode}Into")
        if image.n_frames > 1 or function is None:
            return super().read()
        (width, height), channels = image.size, len(image.mode)
        array = np.empty((height, width, channels), np.uint8)
        size = len(self._data), array.ctypes.data, array.nbytes, width * channels
        if function(self._data, *size) != array.ctypes.data:
            del array
            return super().read()  # which says what is wrong
        return Stored(array, None, None, orientation(image))


@cache
def _function(name: str) -> Any:
    """Return a function of the libwebp that Pillow uses; None if it cannot be found."""
    try:
        from PIL import _webp  # noqa: PLC0415 - a Pillow without WebP lacks it

        function = getattr(ctypes.CDLL(_webp.__file__), name)
    except (ImportError, OSError, AttributeError):
        return None
    function.argtypes, function.restype = _TAKES, ctypes.c_void_p
    return function
