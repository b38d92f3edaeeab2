"""File systems that cannot lock: a finished dataset is read, and one convert at a time writes into one."""

import errno
import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

import brinery
from brinery.engine.converting.claims import claimants
from brinery.engine.locks.lock_file import LOCK_NAME, LockFile
from brinery.engine.workers import pool
from brinery.errors import DatasetError, StorageError

from ..engine.test_convert import contents
from ..images import images, make_folder
from .running import finish, make_archive, start, start_slowly, wait_for_samples
from .test_places import needs_root, run_in

OPTIONS = {"workers": 2, "backend": "threading", "shard_size": "4KiB", "fsync": False}
NO_LOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
int flock(int fd, int operation) { errno = ENOLCK; return -1; }
static int refuse(const char *name, int fd, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW || command == F_GETLK) { errno = ENOLCK; return -1; }
    return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, name))(fd, command, argument);
}
int fcntl(int fd, int command, ...) {
    va_list list; va_start(list, command); return refuse("fcntl", fd, command, va_arg(list, void *));
}
int fcntl64(int fd, int command, ...) {
    va_list list; va_start(list, command); return refuse("fcntl64", fd, command, va_arg(list, void *));
}
"""


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory):
    """The environment of a process for which no file system has locks."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler makes what takes the locks away")
    root = tmp_path_factory.mktemp("locks")
    (root / "none.c").write_text(NO_LOCKS)
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", root / "none.so", root / "none.c", "-ldl"], check=False
    )
    if made.returncode:
        pytest.skip("a C compiler makes what takes the locks away")
    return os.environ | {"LD_PRELOAD": str(root / "none.so")}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(params=["flock", "lockf", "both"])
def lockless(request, monkeypatch):
    """Take locks away from this process: those of folders, of sqlite's file, or both."""

    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    for name in ("flock", "lockf"):
        if request.param in (name, "both"):
            monkeypatch.setattr(fcntl, name, refused)
    return request.param


def test_a_convert_without_locks_gives_the_same(archive, tmp_path, no_locks):
    tar, whole = archive
    finish(start(tar, tmp_path / "out", env=no_locks), 0)
    assert contents(tmp_path / "out") == whole
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "manifest.sqlite", "shards"]
    for command in (("info",), ("verify", "--workers", "1")):
        run = [sys.executable, "-m", "brinery", *command, str(tmp_path / "out")]
        subprocess.run(run, env=no_locks, check=True, capture_output=True, timeout=20)


def test_without_locks_a_second_convert_is_refused_and_a_killed_one_keeps_nobody_out(
    archive, tmp_path, no_locks
):
    tar, whole = archive
    first = start_slowly(tar, tmp_path / "out", env=no_locks)
    wait_for_samples(first, tmp_path / "out")
    first.send_signal(signal.SIGSTOP)
    _, _, err = finish(start(tar, tmp_path / "out", env=no_locks), 4)
    assert f"another convert is writing into {tmp_path / 'out'} (process {first.pid} on " in err
    info = [sys.executable, "-m", "brinery", "info", str(tmp_path / "out")]
    read = subprocess.run(info, env=no_locks, check=False, capture_output=True, text=True, timeout=20)
    assert read.returncode == 4
    assert "a convert writes into it" in read.stderr
    first.send_signal(signal.SIGKILL)
    first.wait()
    finish(start(tar, tmp_path / "out", env=no_locks), 0)
    assert contents(tmp_path / "out") == whole
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "manifest.sqlite", "shards"]


def test_every_way_without_locks(tmp_path, lockless):
    folder = make_folder(tmp_path / "photos", images(8))
    out = tmp_path / "out"
    for options in ({}, {}, {"repair": True}, {"overwrite": True}):
        assert brinery.convert(folder, out, **OPTIONS, **options).samples == 8
        assert sorted(os.listdir(out)) == ["README.txt", "manifest.sqlite", "shards"]
    with brinery.open(out) as dataset:
        assert len(dataset[:]) == 8
    assert brinery.verify(out, workers=2).samples == 8
    assert brinery.restore(out, tmp_path / "images", workers=2).images == 8


def test_a_convert_that_found_nothing_leaves_nothing(tmp_path, lockless):
    (tmp_path / "empty").mkdir()
    with pytest.raises(brinery.errors.ArchiveError, match="no image found"):
        brinery.convert(tmp_path / "empty", tmp_path / "out", **OPTIONS)
    assert not (tmp_path / "out").exists()


def test_a_convert_whose_lock_was_taken_over_stops(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refused)
    folder = make_folder(tmp_path / "photos", images(40))
    out = tmp_path / "out"

    def take_over(_):
        (out / LOCK_NAME).unlink(missing_ok=True)
        (out / LOCK_NAME).write_text("another's")

    with pytest.raises(StorageError, match="another process took over"):
        brinery.convert(folder, out, progress=take_over, **OPTIONS)
    assert (out / LOCK_NAME).read_text() == "another's"


def test_a_dataset_is_read_in_the_process_that_converts_into_it(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "photos", images(8))
    brinery.convert(folder, tmp_path / "out", **OPTIONS)

    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", refused)
    own = LockFile(tmp_path / "out")
    own.take()
    assert len(brinery.open(tmp_path / "out")) == 8
    own.release()
    with LockFileOfAnother(tmp_path / "out"), pytest.raises(DatasetError, match="process 1 on elsewhere"):
        brinery.open(tmp_path / "out")


class LockFileOfAnother:
    def __init__(self, folder):
        self._path = folder / LOCK_NAME

    def __enter__(self):
        text = '{"host": "elsewhere", "system": "x", "pid": 1, "started": 1, "since": "now", "token": "t"}'
        self._path.write_text(text)

    def __exit__(self, *_):
        self._path.unlink()


def pid_of_worker(_):
    return os.getpid()


def test_workers_of_a_killed_run_are_told_by_their_processes(tmp_path, monkeypatch):
    (pid,) = pool.run(pid_of_worker, [1], workers=1)
    for name in (pid, os.getpid(), 1, "other"):
        (tmp_path / str(name)).touch()

    def refused(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    assert claimants(tmp_path) == [str(pid)]
    pool.shutdown()
    assert claimants(tmp_path) == []


def leave_half_done(out):
    """Die in the middle of a transaction that has reached the manifest."""
    child = os.fork()
    if not child:
        db = sqlite3.connect(out / "manifest.sqlite", isolation_level=None)
        db.execute("PRAGMA cache_size = 2")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE samples SET xxh3 = 'ffffffffffffffff', source_mtime_ns = 0")
        db.execute("INSERT INTO skipped SELECT key, NULL, NULL, 'bad', 0, 0, NULL, 1 FROM samples")
        os._exit(0)
    os.waitpid(child, 0)
    assert (out / "manifest.sqlite-journal").stat().st_size > 4096


@pytest.fixture
def half_done(tmp_path):
    folder = make_folder(tmp_path / "photos", images(120))
    brinery.convert(folder, tmp_path / "out", **OPTIONS)
    leave_half_done(tmp_path / "out")
    return tmp_path / "out"


def test_what_was_left_half_done_is_undone_without_locks(tmp_path, half_done, lockless):
    assert brinery.verify(half_done, workers=1).bad == ()
    result = brinery.convert(tmp_path / "photos", half_done, **OPTIONS)
    assert (result.samples, result.converted) == (120, 0)
    assert sorted(os.listdir(half_done)) == ["README.txt", "manifest.sqlite", "shards"]


@needs_root
def test_a_dataset_on_a_read_only_disk_is_read(tmp_path, half_done):
    """With what a killed convert left half done, which is undone in a copy."""
    place = f"mount --bind {half_done} {half_done} && mount -o remount,ro,bind {half_done}"
    before = sorted(path.name for path in half_done.iterdir())
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    for command in (("info",), ("verify", "--workers", "1")):
        done = run_in(place, *command, half_done, env=environment)
        assert done.returncode == 0, done.stderr
    assert "120 of 120 samples intact" in done.stdout
    assert sorted(path.name for path in half_done.iterdir()) == before
    assert os.listdir(tmp_path / "tmp") == []
    full = f"mount -t tmpfs -o size=8k none {tmp_path / 'tmp'} && {place}"
    done = run_in(full, "info", half_done, env=environment)
    assert done.returncode == 4
    assert (
        "No space left on device): run the same convert again, or name another folder in TMPDIR"
        in done.stderr
    )
    with closing(sqlite3.connect(half_done / "manifest.sqlite")) as db:  # where it can be written
        assert db.execute("SELECT COUNT(*) FROM skipped").fetchone() == (0,)
