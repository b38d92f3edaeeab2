"""Packed members, unpacked no further than what they should give."""

import bz2
import lzma
import tracemalloc
import zlib

import pytest

from brinery.errors import ReadError
from brinery.parser.archives.unpacking import unpack, unpack_head

DATA = b"".join(b"%d, " % number for number in range(3000))


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zstd(data):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


def zip_lzma(data):
    """LZMA as zips have it: version, length of the properties, properties, raw stream."""
    packer = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}])
    return b"\x09\x14\x05\x00\x5d" + (1 << 16).to_bytes(4, "little") + packer.compress(data) + packer.flush()


PACKERS = {"deflate": deflate, "bzip2": bz2.compress, "xz": lzma.compress, "lzma": zip_lzma, "zstd": zstd}
each_method = pytest.mark.parametrize("method", PACKERS)


@each_method
def test_a_member_comes_back_whole(method):
    assert unpack(PACKERS[method](DATA), method, len(DATA)) == DATA


@each_method
def test_its_beginning_is_had_for_itself(method):
    packed = PACKERS[method](DATA)
    assert unpack_head(packed, method, 20) == DATA[:20]
    assert DATA.startswith(unpack_head(packed[: len(packed) // 2], method, 20))


@each_method
def test_more_than_the_archive_says_is_refused(method):
    with pytest.raises(ReadError, match="unpacks to more than the 100 bytes"):
        unpack(PACKERS[method](DATA), method, 100)


@each_method
def test_less_than_the_archive_says_is_refused(method):
    with pytest.raises(ReadError, match=r"truncated|damaged"):
        unpack(PACKERS[method](DATA), method, len(DATA) + 1)


@each_method
def test_a_member_that_is_cut_short_is_refused(method):
    with pytest.raises(ReadError, match=r"truncated|damaged"):
        unpack(PACKERS[method](DATA)[:-9], method, len(DATA))


@each_method
def test_bytes_that_are_of_no_such_kind_are_damage(method):
    with pytest.raises(ReadError, match=rf"damaged {method} data"):
        unpack(b"\xff" * 50, method, 100)


@each_method
def test_a_bomb_gives_one_byte_more_than_it_should(method):
    packed = PACKERS[method](bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ReadError, match="more than the 1,000 bytes"):
            unpack(packed, method, 1000)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20  # xz keeps 8 MiB to look back at
    finally:
        tracemalloc.stop()


def test_a_method_without_a_decoder_is_named():
    with pytest.raises(ReadError, match="packed by implode, which brinery does not unpack"):
        unpack(b"", "implode", 1)
