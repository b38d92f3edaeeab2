"""Shards are finished by workers and published by the parent, durable before they have their names."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from brinery.engine.converting import unit_files as shards
from brinery.engine.converting.unit_files import open_unit_files, publish_shards
from brinery.engine.machine import new_file as output
from brinery.engine.machine.new_file import wait_for_writing
from brinery.engine.protocols.registry import get_serializer
from brinery.engine.records import Job
from brinery.parser.options import DecodeOptions


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """There is one, wherever the tests run."""
    monkeypatch.setattr(output, "_in_memory", lambda _device: False)


@pytest.fixture
def root(tmp_path):
    return folder_at(tmp_path / "one")


def folder_at(path):
    """Make the folder of a dataset without shards."""
    for name in ("shards", ".partial"):
        (path / name).mkdir(parents=True)
    return path


def finish(root, number, fsync=True):
    """Write a unit of three samples, and return the names of its shards."""
    job = Job(str(root), "npy", "shards", 600, fsync, DecodeOptions(), "token")
    files = open_unit_files(job, number, get_serializer("npy"))
    for sample in range(3):
        files.add(f"{sample}.jpg", np.full(300, sample, np.uint8))
    files.close()
    return [shard.name for shard in files.shards]


def names(folder):
    return sorted(os.listdir(folder))


def test_a_finished_shard_has_its_name_when_it_is_published(root):
    made = finish(root, 7)
    assert made == ["000007.npy", "000007-1.npy"]
    assert names(root / "shards") == []
    publish_shards(root, made, fsync=True)
    assert names(root / ".partial") == []
    assert np.load(root / "shards" / "000007.npy")[:, 0].tolist() == [0, 1]
    assert np.load(root / "shards" / "000007-1.npy")[:, 0].tolist() == [2]


def test_its_bytes_are_durable_before_its_name_and_its_name_before_the_end(root, monkeypatch):
    seen = []
    monkeypatch.setattr(
        shards, "fsync_paths", lambda paths: seen.append(([*map(Path, paths)], names(root / "shards")))
    )
    made = finish(root, 0)
    publish_shards(root, made, fsync=True)
    assert seen == [
        ([root / ".partial" / name for name in made], []),
        ([root / "shards"], sorted(made)),
    ]
    publish_shards(root, finish(root, 1, fsync=False), fsync=False)
    assert len(seen) == 2


def test_a_worker_waits_for_the_shard_before_the_last(root, monkeypatch):
    waited = []

    def wait(path):
        waited.append(Path(path).name)
        return wait_for_writing(path)

    monkeypatch.setattr(shards, "wait_for_writing", wait)
    monkeypatch.setattr(shards, "_before", type("Before", (), {})())
    publish_shards(root, finish(root, 0), fsync=True)
    assert waited == ["000000.npy"]
    finish(root, 1)
    assert waited == ["000000.npy", "000000-1.npy", "000001.npy"]  # of what is published there is none
    finish(root, 2, fsync=False)
    assert len(waited) == 3


def test_in_memory_there_is_nothing_to_wait_for(root, monkeypatch):
    monkeypatch.setattr(output, "_in_memory", lambda _device: True)
    monkeypatch.setattr(shards, "wait_for_writing", pytest.fail)
    finish(root, 0)
    finish(root, 1)


def test_a_worker_waits_for_no_shard_of_another_dataset(root, tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(shards, "wait_for_writing", lambda path: waited.append(path) or 0)
    finish(root, 0)
    other = folder_at(tmp_path / "other")
    finish(other, 0)
    assert waited[-1] == str(other / ".partial" / "000000.npy")
    assert str(root / ".partial" / "000000-1.npy") not in waited


def test_what_the_device_did_not_take_is_not_there_to_be_published(root, monkeypatch):
    made = finish(root, 0)

    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), os.fspath(path))

    monkeypatch.setattr(shards, "wait_for_writing", fail)
    with pytest.raises(OSError, match="Input/output error"):
        finish(root, 1)
    assert made[1] not in names(root / ".partial")
    with pytest.raises(FileNotFoundError):
        publish_shards(root, made, fsync=True)
