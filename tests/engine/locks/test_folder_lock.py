"""One writer at a time in a folder, by the system's lock or by a file."""

import errno
import fcntl
import os

import pytest

from brinery.engine.locks.folder_lock import FolderLock
from brinery.engine.locks.lock_file import LOCK_NAME
from brinery.errors import StorageError


def no_locks(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.fixture(params=["flock", "file"])
def lock(request, tmp_path, monkeypatch):
    """A lock of the folder; on a file system without locks a file stands for it."""
    if request.param == "file":
        monkeypatch.setattr(fcntl, "flock", no_locks)
    return lambda: FolderLock(tmp_path)


def test_a_second_writer_is_refused_until_the_first_has_ended(lock):
    first, second = lock(), lock()
    first.take()
    with pytest.raises(StorageError, match="another convert is writing into"):
        second.take()
    first.check()
    first.release()
    second.take()
    second.release()


def test_a_lock_that_was_given_back_leaves_nothing(lock, tmp_path):
    held = lock()
    held.take()
    held.release()
    assert os.listdir(tmp_path) == []


def test_the_systems_lock_makes_no_file_unless_readers_need_one(tmp_path):
    held = FolderLock(tmp_path)
    held.take()
    assert os.listdir(tmp_path) == []
    held.show()
    held.show()
    assert os.listdir(tmp_path) == [LOCK_NAME]
    held.release()
    assert os.listdir(tmp_path) == []


def test_a_lock_that_another_took_over_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", no_locks)
    held = FolderLock(tmp_path)
    held.take()
    (tmp_path / LOCK_NAME).unlink()
    (tmp_path / LOCK_NAME).write_text("another's")
    with pytest.raises(StorageError, match="took over"):
        held.check()


def test_a_folder_that_is_gone_has_no_lock(tmp_path):
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "gone")
