"""Memory that a decoder fills anew with every image."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scratch"]

_VECTOR: Final = 64
_MOST: Final = 1 << 26


class Scratch:
    """One buffer for the pixels of one image after the other; not for several threads at once.

    It begins at an odd address: rows that are aligned to its vectors libjpeg-turbo stores past the caches
    (`movntdq` in its colour conversion), and whoever reads the pixels next waits for memory.
    """

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def room(self, nbytes: int) -> NDArray[np.uint8] | None:
        """Return a buffer of at least `nbytes` bytes, the same each time; None for more than 64 MiB."""
        if nbytes > _MOST:
            return None
        if nbytes > self._buffer.nbytes:
            whole = np.empty(nbytes + _VECTOR, np.uint8)
            first = -whole.ctypes.data % _VECTOR + 1
            self._buffer = whole[first : first + nbytes]
        return self._buffer
