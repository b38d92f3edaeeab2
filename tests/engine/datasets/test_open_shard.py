"""Mapped files, and what becomes of them when their shard is closed."""

import os

import numpy as np
import pytest

from brinery.engine.datasets.open_shard import OpenedShard, map_file
from brinery.engine.machine.inside import Descriptor
from brinery.engine.manifest.reader import ShardInfo


def descriptor(path):
    return Descriptor(os.open(path, os.O_RDONLY))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(bytes(range(100)))
    return path


def test_a_file_is_mapped_for_reading_only(file):
    mapped = map_file(descriptor(file))
    assert mapped[:3] == b"\0\1\2"
    with pytest.raises(TypeError):
        mapped[0] = 1


def test_an_empty_file_cannot_be_mapped_and_is_empty(tmp_path):
    (tmp_path / "empty").touch()
    assert map_file(descriptor(tmp_path / "empty")) == b""


def test_arrays_outlive_their_shard(file):
    shard = OpenedShard(ShardInfo(0, 0, 0, 1, "shard", 0), buffer=map_file(descriptor(file)))
    array = np.ndarray((10,), np.uint8, shard.buffer, 90)
    shard.close()
    shard.close()
    assert shard.buffer is None
    assert array.tolist() == list(range(90, 100))
