"""The datatype messages that h5py writes for numpy's dtypes, to compare with those in a file.

Source: HDF5 File Format Specification, version 3.0, datatype messages of version 1. h5py stores bool as an
enumeration of int8, and complex numbers as a compound of `r` and `i`.
"""

import struct
from typing import Any

import numpy as np

__all__ = ["stored_dtype"]

# By itemsize: bits in use; the exponent's first bit and its bits; the mantissa's bits; the exponent's bias;
# whether the mantissa's first bit is implied.
_FLOATS = {
    2: (16, 10, 5, 10, 15, True),
    4: (32, 23, 8, 23, 127, True),
    8: (64, 52, 11, 52, 1023, True),
    16: (80, 64, 15, 64, 16383, False),  # x87's extended precision
}
_INTEGER, _FLOAT, _COMPOUND, _ENUMERATION = 0x10, 0x11, 0x16, 0x18  # version 1 and the class
_SIGNED, _IMPLIED = 8, 0x20


def stored_dtype(message: bytes, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the dtype, in the byte order of the file, if a message describes one; else None.

    Args:
        message: a datatype message; bytes behind it are padding.
        dtype: kind b, u, i, f or c.
    """
    little, big = _message(dtype, 0), _message(dtype, 1)
    if little and message.startswith(little):
        return dtype.newbyteorder("<")
    return dtype.newbyteorder(">") if big and message.startswith(big) else None


def _message(dtype: np.dtype[Any], big: int) -> bytes:
    """Return what h5py writes for a dtype; empty bytes if it cannot store that kind."""
    kind, size = dtype.kind, dtype.itemsize
    if kind in "ui":
        return _integer(size, big | (_SIGNED if kind == "i" else 0))
    if kind == "f" and size in _FLOATS:
        return _float(size, big)
    if kind == "c" and size // 2 in _FLOATS:
        half = size // 2
        real, imaginary = (struct.pack("<8sI28x", name, at) for name, at in ((b"r", 0), (b"i", half)))
        number = _float(half, big)
        return struct.pack("<BHxI", _COMPOUND, 2, size) + real + number + imaginary + number
    if kind == "b":
        head = struct.pack("<BHxI", _ENUMERATION, 2, 1)
        return head + _integer(1, _SIGNED | big) + b"FALSE\0\0\0TRUE\0\0\0\0\0\1"
    return b""


def _integer(size: int, bits: int) -> bytes:
    return struct.pack("<BB2xIHH", _INTEGER, bits, size, 0, 8 * size)


def _float(size: int, big: int) -> bytes:
    precision, exponent, width, mantissa, bias, implied = _FLOATS[size]
    bits = big | (_IMPLIED if implied else 0)
    return struct.pack(
        "<BBBxIHHBBBBI", _FLOAT, bits, precision - 1, size, 0, precision, exponent, width, 0, mantissa, bias
    )
