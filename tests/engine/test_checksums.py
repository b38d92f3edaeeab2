"""Checksums: known values of xxh3-64, of what an array holds and not of how it lies in memory."""

import numpy as np
import pytest

from brinery.engine.checksums import array_checksum, bytes_checksum

# Of xxHash's own sanity check: no bytes at all, seed 0.
NOTHING = "2d06800538d394c2"


def test_bytes_give_the_published_value():
    assert bytes_checksum(b"") == NOTHING


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4, 3)])
def test_an_empty_array_has_the_checksum_of_nothing(shape):
    assert array_checksum(np.empty(shape, np.float64)) == NOTHING


def test_an_array_counts_in_c_order_however_it_lies_in_memory():
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    expected = bytes_checksum(array.tobytes())
    assert array_checksum(array) == expected
    assert array_checksum(np.asfortranarray(array)) == expected
    assert array_checksum(np.repeat(array, 2, axis=1)[:, ::2]) == expected
    assert array_checksum(array[::-1]) != expected
