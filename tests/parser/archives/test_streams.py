"""Compressed files of several streams, with padding, foreign bytes and windows of any size."""

import bz2
import gzip
import io
import lzma
import struct

import pytest

from brinery.errors import ArchiveError
from brinery.parser.archives.blocks import Damage, StreamBlocks
from brinery.parser.archives.listing import check_sources
from brinery.parser.archives.streams import Streams, compression_of

from ..samples import JPEG_LIKE, contents, listed, members, not_images, unreadable
from .tars import tar

ONE, TWO = b"one " * 50_000, b"two " * 50_000


def zstd(data):
    return pytest.importorskip("zstandard").compress(data)


COMPRESS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}


def skipped_frame(size, number=0):
    """A frame of zstd that holds something else: 0x184D2A50 to 0x184D2A5F, its length, anything."""
    return struct.pack("<2I", 0x184D2A50 + number, size) + b"\x28\xb5\x2f\xfd"[:size].ljust(size, b"?")


def unpacked(data, compression, step=1 << 20):
    streams = Streams(io.BytesIO(data), compression)
    out = b"".join(iter(lambda: streams.read(step), b""))
    return out, streams.left_over


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("padding", [0, 4, 512, 100_000])
def test_joined_streams_are_one_whatever_zeros_lie_between_and_behind(compression, padding):
    one, two = COMPRESS[compression](ONE), COMPRESS[compression](TWO)
    data = one + bytes(padding) + two + bytes(padding)
    assert unpacked(data, compression) == (ONE + TWO, None)
    assert unpacked(data, compression, step=777) == (ONE + TWO, None)


@pytest.mark.parametrize("compression", COMPRESS)
def test_other_bytes_behind_a_stream_are_the_end_and_are_known(compression):
    packed = COMPRESS[compression](ONE)
    assert unpacked(packed + bytes(100) + b"signature", compression) == (ONE, len(packed) + 100)


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_stream_that_is_cut_off_gives_what_it_can_and_says_so(compression):
    streams = Streams(io.BytesIO(COMPRESS[compression](ONE) + COMPRESS[compression](TWO)[:-5]), compression)
    out = io.BytesIO()
    with pytest.raises(streams.errors):
        out.writelines(iter(lambda: streams.read(5000), b""))
    assert out.getvalue().startswith(ONE)


@pytest.mark.parametrize("compression", COMPRESS)
def test_a_small_stream_that_unpacks_to_much_is_unpacked_in_pieces(compression):
    streams = Streams(io.BytesIO(COMPRESS[compression](bytes(100 << 20))), compression)
    most = (66 << 20) if compression == "zstd" else 1 << 16
    assert all(0 < len(streams.read(1 << 30)) <= most for _ in range(3))


def test_zstd_frames_that_are_to_be_skipped_may_stand_anywhere():
    one, two = zstd(ONE), zstd(TWO)
    frames = skipped_frame(4) + one + skipped_frame(0, 7) + skipped_frame(300_000, 15) + two
    frames += skipped_frame(9)
    assert compression_of(frames) == "zstd"
    assert unpacked(frames, "zstd") == (ONE + TWO, None)
    with pytest.raises(EOFError, match="cut off in a frame"):
        unpacked(one + skipped_frame(300_000)[:-1], "zstd")


def test_a_tar_behind_a_skipped_frame_is_read(tmp_path):
    (tmp_path / "a").write_bytes(skipped_frame(40) + zstd(tar([("a.jpg", JPEG_LIKE)])) + skipped_frame(17))
    assert contents(tmp_path / "a") == {"a.jpg": JPEG_LIKE}


def test_bytes_behind_the_end_of_a_compressed_tar_are_noted(tmp_path):
    packed = gzip.compress(tar([("a.jpg", JPEG_LIKE)]))
    (tmp_path / "a.tgz").write_bytes(packed + b"signature")
    image, rest = listed(tmp_path / "a.tgz")
    assert image.key == "a.jpg"
    assert not_images([rest]) == {f"a.tgz@{len(packed)}": "bytes behind the end of the gzip data"}


def test_a_window_larger_than_the_budget_says_what_to_do(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    params = zstandard.ZstdCompressionParameters(window_log=28)
    # Of a frame that does not say its size the window counts.
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    (tmp_path / "a.zst").write_bytes(packer.compress(tar([("a.jpg", JPEG_LIKE)])) + packer.flush())
    says = r"a\.zst: zstd data with a window of 256 MiB; .* give the tar that `zstd -d --long=31` makes"
    with pytest.raises(ArchiveError, match=says):
        check_sources([tmp_path / "a.zst"])


def test_a_dictionary_larger_than_the_budget_says_what_to_do(tmp_path):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    (tmp_path / "a.xz").write_bytes(lzma.compress(ONE, filters=filters))
    blocks = StreamBlocks(str(tmp_path / "a.xz"), "xz")
    with pytest.raises(Damage, match="give the tar that `xz -d` makes"):
        blocks.read(0, 512)
    blocks.close()


WRONG_CHECKSUM = {"gzip": -8, "bzip2": -3, "xz": -40, "zstd": -1}


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("count", [3, 4000])
def test_a_wrong_checksum_at_the_end_costs_no_member_that_was_unpacked(tmp_path, compression, count):
    data = tar([(f"{number}.jpg", JPEG_LIKE * 30) for number in range(count)])
    packed = bytearray(zstd_checked(data) if compression == "zstd" else COMPRESS[compression](data))
    packed[WRONG_CHECKSUM[compression]] ^= 0x10
    (tmp_path / "a").write_bytes(packed)
    entries = listed(tmp_path / "a")
    assert len(members(entries)) == count
    (failure,) = unreadable(entries)
    assert "unreadable from here on: damaged" in failure.message


def zstd_checked(data):
    return pytest.importorskip("zstandard").ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize("flags", [0, 2, 4, 8, 16, 30])
@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_headers_of_gzip_with_all_that_they_may_hold(flags, step):
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(6)
    head += (b"\x05\0extra" if flags & 4 else b"") + (b"name\0" if flags & 8 else b"")
    head += (b"comment\0" if flags & 16 else b"") + (b"\0\0" if flags & 2 else b"")

    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, step))

    streams = Streams(Slow(head + gzip.compress(ONE)[10:] + gzip.compress(TWO)), "gzip")
    assert b"".join(iter(lambda: streams.read(1 << 20), b"")) == ONE + TWO


def test_a_header_of_gzip_without_an_end():
    streams = Streams(io.BytesIO(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * (1 << 20)), "gzip")
    with pytest.raises(streams.errors, match="without an end"):
        streams.read(1)
