"""Expanding LZF, the compression that comes with h5py, within bounds.

Source: lzf_d.c of LibLZF 3. A control byte below 32 stands before one more literal bytes than it says. In
another one the upper three bits and 2 are a length, to which the next byte adds where they are 7; the lower
five bits with the byte that follows, and 1, are the distance back to what is repeated.
"""

import os
from typing import Any

import numpy as np

from ...errors import CorruptError
from .optional import library

__all__ = ["LZF_RATIO", "Lzf"]

LZF_RATIO = 88
"""Bytes that one byte of LZF can give at most: three bytes stand for 264."""

_LITERAL, _LONG = 32, 9
_SEAL = 8  # bytes
_SPARE = 1 << 26  # bytes that h5py's filter may come to need for a stream that gives too much


class Lzf:
    """Expands streams of one size, in bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._file: Any = None
        self._chunk: Any = None

    def expand(self, packed: bytes) -> memoryview:
        """Return what a stream holds.

        Raises:
            CorruptError: it is damaged, or gives another number of bytes.
        """
        try:
            # h5py's filter takes more memory again and again until everything fits.
            expand = self._by_filter if LZF_RATIO * len(packed) <= _SPARE else self._slowly
            return expand(packed)
        except (IndexError, OSError, ValueError) as error:
            raise CorruptError(f"a chunk is no LZF of {self.size} bytes") from error

    def close(self) -> None:
        """Give the memory back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _by_filter(self, packed: bytes) -> memoryview:
        """Expand as the only chunk of an HDF5 file in memory.

        The filter does not say how much a stream gave, and behind it is whatever was in memory. So bytes that
        nobody can foresee are added, and must come out at the end.
        """
        seal = os.urandom(_SEAL)
        size = self.size + _SEAL
        if self._file is None:
            name = f"lzf-{id(self)}"  # HDF5 takes files in memory of one name for one file
            self._file = library("h5py").File(name, "w", driver="core", backing_store=False)
            self._chunk = self._file.create_dataset("chunk", (size,), "u1", chunks=(size,), compression="lzf")
        self._chunk.id.write_direct_chunk((0,), b"%b%c%b" % (packed, _SEAL - 1, seal))
        expanded = np.empty(size, np.uint8)
        self._chunk.read_direct(expanded)
        if expanded[self.size :].tobytes() != seal:
            raise ValueError(size)
        return expanded[: self.size].data.toreadonly()

    def _slowly(self, packed: bytes) -> memoryview:
        """Expand byte by byte, and stop where it becomes too much."""
        out = bytearray()
        at = 0
        while at < len(packed) and len(out) <= self.size:
            control = packed[at]
            if control < _LITERAL:
                out += packed[at + 1 : at + 2 + control]
                at += 2 + control
                continue
            length = (control >> 5) + 2
            if length == _LONG:
                at += 1
                length += packed[at]
            start = len(out) - ((control & 31) << 8 | packed[at + 1]) - 1
            at += 2
            if start < 0:
                raise ValueError(start)
            repeated = out[start : start + length]
            out += (repeated * -(-length // len(repeated)))[:length]
        if at != len(packed) or len(out) != self.size:
            raise ValueError(len(out))
        return memoryview(out).toreadonly()
