"""Streams that run forwards, and the little way back that a tar needs."""

import gzip

import pytest

from brinery.parser.archives.blocks import CHUNK, StreamBlocks


@pytest.fixture
def stream(tmp_path):
    whole = bytes(range(256)) * 2048
    (tmp_path / "a.gz").write_bytes(gzip.compress(whole))
    blocks = StreamBlocks(str(tmp_path / "a.gz"), "gzip")
    yield blocks, whole
    blocks.close()


def test_reads_skip_forwards_and_can_go_back_into_the_last_one(stream):
    blocks, whole = stream
    for position, size in [
        (0, 512),
        (700, 40),
        (740, 60),
        (5000, CHUNK),
        (5100, 512),
        (60_000, 512),
        (5700, CHUNK),
    ]:
        assert blocks.read(position, size) == whole[position : position + size]


def test_the_end_gives_what_is_left(stream):
    blocks, whole = stream
    assert blocks.read(len(whole) - 10, 512) == whole[-10:]
    assert blocks.read(len(whole) - 5, 512) == whole[-5:]
    assert blocks.read(len(whole) + 10_000, 512) == b""


def test_going_back_further_is_a_mistake_of_the_caller(stream):
    blocks, _ = stream
    blocks.read(1000, 512)
    with pytest.raises(ValueError, match="cannot go back"):
        blocks.read(999, 512)
