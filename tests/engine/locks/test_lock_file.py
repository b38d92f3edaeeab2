"""The lock file: one process at a time, whatever became of the one before."""

import errno
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from brinery.engine.locks import lock_file
from brinery.engine.locks.lock_file import LOCK_NAME, Holder, LockFile, holder_of
from brinery.errors import BrineryWarning, StorageError


@pytest.fixture
def impatient(monkeypatch):
    """Watch for a third of a second what is watched for half a minute."""
    monkeypatch.setattr(lock_file, "_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(lock_file, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(lock_file, "_RENEW_SECONDS", 0.05)


def leave(folder, **changes):
    """Leave a lock file as another process would have."""
    text = json.dumps(asdict(replace(Holder.this_process(), **changes)))
    (folder / LOCK_NAME).write_text(text)


def pid_that_ended():
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    return int(done.stdout)


def test_one_process_holds_it_and_leaves_nothing(tmp_path):
    first, second = LockFile(tmp_path), LockFile(tmp_path)
    first.take()
    assert holder_of(tmp_path).pid == os.getpid()
    with pytest.raises(StorageError, match=rf"writing into .* \(process {os.getpid()} on .*since .*\): wait"):
        second.take()
    assert os.listdir(tmp_path) == [LOCK_NAME]
    first.release()
    second.take()
    second.release()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("changes", [{"pid": pid_that_ended()}, {"started": 1}], ids=["ended", "pid reused"])
def test_that_of_a_process_that_was_killed_is_taken_over_at_once(tmp_path, changes):
    leave(tmp_path, **changes)
    (tmp_path / f"{LOCK_NAME}-0123").write_text("of a taking that was broken off")
    begin = time.monotonic()
    lock = LockFile(tmp_path)
    lock.take()
    assert time.monotonic() - begin < 2
    assert holder_of(tmp_path).pid == os.getpid()
    lock.release()
    assert os.listdir(tmp_path) == []


def test_that_of_another_machine_is_taken_over_when_nobody_renews_it(tmp_path, impatient):
    leave(tmp_path, system="another boot", host="far-away")
    lock = LockFile(tmp_path)
    with pytest.warns(BrineryWarning, match=r"process \d+ on far-away, since .*: waiting .* to see whether"):
        lock.take()
    assert holder_of(tmp_path).system != "another boot"
    lock.release()


def test_that_of_another_machine_is_kept_while_it_is_renewed(tmp_path, impatient):
    leave(tmp_path, system="another boot", host="far-away")
    ended = threading.Event()

    def renew():
        while not ended.wait(0.05):
            os.utime(tmp_path / LOCK_NAME)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        with pytest.warns(BrineryWarning), pytest.raises(StorageError, match=r"process .* on far-away"):
            LockFile(tmp_path).take()
    finally:
        ended.set()
        thread.join()


def test_a_holder_renews_it(tmp_path, impatient):
    lock = LockFile(tmp_path)
    lock.take()
    os.utime(tmp_path / LOCK_NAME, (0, 0))
    deadline = time.monotonic() + 5
    while (tmp_path / LOCK_NAME).stat().st_mtime == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    lock.release()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"host": 1}'])
def test_one_that_makes_no_sense_is_watched_too(tmp_path, impatient, text):
    (tmp_path / LOCK_NAME).write_text(text)
    lock = LockFile(tmp_path)
    with pytest.warns(BrineryWarning, match="an unknown process"):
        lock.take()
    lock.release()


def test_who_lost_it_stops(tmp_path):
    lock = LockFile(tmp_path)
    lock.take()
    lock.check()
    (tmp_path / LOCK_NAME).unlink()
    leave(tmp_path, pid=1)
    with pytest.raises(StorageError, match="another process took over"):
        lock.check()
    lock.release()
    assert holder_of(tmp_path).pid == 1  # the other's stays


@pytest.mark.parametrize("links", [True, False])
def test_of_several_that_want_it_one_takes_it(tmp_path, monkeypatch, links):
    if not links:

        def no_links(*_):
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", no_links)
    leave(tmp_path, pid=pid_that_ended())
    locks = [LockFile(tmp_path) for _ in range(12)]
    taken = []

    def take(lock):
        try:
            lock.take()
        except StorageError:
            return
        taken.append(lock)

    threads = [threading.Thread(target=take, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    taken[0].check()
    taken[0].release()
    assert os.listdir(tmp_path) == []
