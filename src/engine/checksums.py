"""The checksum of a sample."""

import numpy as np
from xxhash import xxh3_64_hexdigest

from .protocols.base import Array

__all__ = ["array_checksum", "bytes_checksum"]


def array_checksum(array: Array) -> str:
    """Return xxh3-64 of an array's raw C-order bytes, as 16 hex digits."""
    return xxh3_64_hexdigest(np.ascontiguousarray(array).data if array.nbytes else b"")


bytes_checksum = xxh3_64_hexdigest
"""Returns xxh3-64 of contiguous bytes, as 16 hex digits."""
