"""Streams of LZF give exactly as many bytes as they should, or are refused."""

import h5py
import numpy as np
import pytest

from brinery.engine.protocols import lzf
from brinery.engine.protocols.lzf import Lzf
from brinery.engine.protocols.testing import make_array
from brinery.errors import CorruptError


@pytest.fixture(params=["by the filter", "byte by byte"])
def expand(request, monkeypatch):
    if request.param == "byte by byte":
        monkeypatch.setattr(lzf, "_SPARE", 0)
    opened = []

    def expanded(packed, size):
        opened.append(Lzf(size))
        return bytes(opened[-1].expand(packed))

    yield expanded
    for one in opened:
        one.close()


def packed_by_h5py(data):
    with h5py.File("packed", "w", driver="core", backing_store=False) as file:
        chunk = file.create_dataset("a", data=data, chunks=data.shape, compression="lzf")
        mask, packed = chunk.id.read_direct_chunk((0,))
    assert mask == 0
    return packed


@pytest.mark.parametrize("period", [1, 2, 7, 300, 5000])
def test_what_h5py_packs_comes_back(expand, period):
    data = np.resize(make_array((period,)), 30_000)
    packed = packed_by_h5py(data)
    assert len(packed) < len(data)
    assert expand(packed, len(data)) == data.tobytes()


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\0",  # a literal that is not there
        b"\2ab",  # one that is cut off
        b"\3abcd\x20",  # a distance that is not there
        b"\3abcd\xe0",  # a length that is not there
        b"\3abcd\xe0\1",
        b"\3abcd\x20\x04",  # back to before the first byte
        b"\x20\0",
        b"\2abc",  # too short
        b"\3abcd\xe0\xff\0",  # too long
        b"\3abcd" * 1000,
    ],
)
def test_a_damaged_stream_is_refused(expand, packed):
    with pytest.raises(CorruptError, match="no LZF of 8 bytes"):
        expand(packed, 8)


def test_what_was_in_memory_before_does_not_come_out(expand):
    # The filter of h5py leaves what a short stream does not fill as it was.
    secret = packed_by_h5py(np.full(5000, ord("s"), np.uint8))
    for _ in range(20):
        assert expand(secret, 5000) == b"s" * 5000
        with pytest.raises(CorruptError):
            expand(b"\0a\xe0\xf0\0", 5000)


def test_a_stream_that_gives_far_too_much_takes_no_memory_for_it():
    many = b"\0a" + b"\xe0\xff\0" * (1 << 20)  # 264 MiB
    with pytest.raises(CorruptError):
        Lzf(1000).expand(many)
