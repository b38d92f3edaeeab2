"""Compressed files of several streams, with padding, foreign bytes and windows of any size."""

import bz2
import gzip
import io
import lzma
import struct

import pytest

from brinery.errors import ArchiveError
from brinery.parser.archives import check_sources
from brinery.parser.blocks import Damage, StreamBlocks
from brinery.parser.streams import Streams, compression_of

from .samples import JPEG_LIKE, contents, listed, not_images
from .test_tarfiles import tar

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
    most = (34 << 20) if compression == "zstd" else 1 << 16
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
