"""Places where no process can be started, or little can be written: threads work, and a warning says why."""

import errno
import os
import shlex
import subprocess
import sys

import pytest

import brinery
from brinery.engine.corpus import make_corpus
from brinery.engine.workers import pool, processes
from brinery.errors import BrineryWarning, NoProcessesError, StorageError

from ..images import images, make_folder, make_tar

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
BRINERY = (sys.executable, "-m", "brinery")
READ_ONLY = "mount -t tmpfs none /dev/shm && mount -o remount,ro /dev/shm"
FULL = "mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/file"
ALMOST_FULL = "mount -t tmpfs -o size=12k none /dev/shm"
MISSING = "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 444 /dev/urandom c 1 9"
PROCESSES_ONLY = "mount -t proc -o subset=pid none /proc"
NO_PROC = "mount -t tmpfs none /proc"


@pytest.fixture
def tar(tmp_path):
    return make_tar(tmp_path / "photos.tar", images(6))


def run_in(place, *command, **more):
    """Run brinery where a shell's words have changed what is mounted, for it alone."""
    words = f"{place} && exec {shlex.join([*BRINERY, *map(str, command)])}"
    try:
        done = subprocess.run(
            ["unshare", "--mount", "bash", "-c", words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **more,
        )
    except FileNotFoundError:
        pytest.skip("unshare (util-linux) is not there")
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr, done.stderr
    return done


def warnings_of(done):
    return [line for line in done.stderr.splitlines() if "arning" in line]


@needs_root
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (READ_ONLY, "/dev/shm, where their locks lie, cannot be written (Read-only file system)"),
        (FULL, "/dev/shm, where their locks lie, cannot be written (No space left on device)"),
        (ALMOST_FULL, "/dev/shm, where their locks lie, cannot be written (No space left on device)"),
        (MISSING, "/dev/shm, where their locks lie, cannot be written (No such file or directory)"),
        (NO_PROC, "/proc is not mounted, or not all of it"),
        (PROCESSES_ONLY, "/proc is not mounted, or not all of it"),
    ],
    ids=["read-only", "full", "almost full", "missing", "no proc", "processes only"],
)
def test_without_what_processes_need_threads_work(tmp_path, tar, place, reason):
    done = run_in(place, "convert", tar, tmp_path / "out", "--workers", "2")
    (warning,) = warnings_of(done)
    assert done.returncode == 0
    assert reason in warning
    assert "threads of this process work instead" in warning
    assert len(brinery.open(tmp_path / "out")) == 6


@needs_root
def test_every_command_works_without_shared_memory(tmp_path, tar):
    brinery.convert(tar, tmp_path / "out", workers=1)
    for command in (
        ("verify", tmp_path / "out", "--workers", "2"),
        ("restore", tmp_path / "out", tmp_path / "images"),
        ("sample", tmp_path / "sample", "--count", "3", "--size", "16x12"),
        ("convert", tar, tmp_path / "out", "--repair"),
    ):
        done = run_in(READ_ONLY, *command)
        assert done.returncode == 0, done.stderr
        (warning,) = warnings_of(done)
        assert "/dev/shm" in warning
    assert not warnings_of(run_in(READ_ONLY, "verify", tmp_path / "out", "--backend", "threading"))


@needs_root
def test_a_place_without_room_for_temporary_files(tmp_path, tar):
    out = tmp_path / "out"
    (tmp_path / "ro").mkdir()
    place = f"mount -t tmpfs -o ro none {tmp_path}/ro && mount -t tmpfs -o ro none /var/tmp"
    environment = {"PATH": os.environ["PATH"], "TMPDIR": f"{tmp_path}/ro"}  # and no HOME
    for command in (("convert", tar, out, "--workers", "1"), ("verify", out), ("info", out)):
        done = run_in(place, *command, env=environment)
        assert done.returncode == 0, done.stderr
        assert not warnings_of(done)


@pytest.mark.parametrize("limit", [17, 20, 23])
def test_a_low_limit_of_open_files_is_named_or_borne(tmp_path, tar, limit):
    words = f"ulimit -n {limit} && exec {shlex.join([*BRINERY, 'convert', str(tar), str(tmp_path / 'out')])}"
    command = ["bash", "-c", f"{words} --workers 6 --shard-size 1KiB"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "the limit of open files is reached (`ulimit -n`); threads of this process work" in done.stderr
    if done.returncode:
        assert done.returncode == 4
        assert "Too many open files" in done.stderr or "unable to open database file" in done.stderr


def test_too_many_open_files_are_no_fault_of_an_image(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "photos", images(6))
    victim = str(sorted(path for path in folder.rglob("*") if path.is_file())[3])
    open_file = os.open

    def out_of_descriptors(path, *more, **options):
        if os.fspath(path) == victim:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return open_file(path, *more, **options)

    monkeypatch.setattr(os, "open", out_of_descriptors)
    with pytest.raises(StorageError, match=r"Too many open files .*: raise `ulimit -n`"):
        brinery.convert(folder, tmp_path / "out", backend="threading")


@pytest.fixture
def no_processes(monkeypatch):
    pool.shutdown()  # warm ones would prove the contrary
    monkeypatch.setattr(pool, "why_no_processes", lambda: "there is a reason")


def test_a_program_is_warned_that_threads_work(tmp_path, tar, no_processes):
    said = "started: there is a reason; threads of this process work instead"
    with pytest.warns(BrineryWarning, match=said) as told:
        brinery.convert(tar, tmp_path / "out")
    assert len(told) == 1
    with pytest.warns(BrineryWarning, match=said):
        assert brinery.verify(tmp_path / "out").samples == 6
    with pytest.warns(BrineryWarning, match=said):
        assert brinery.restore(tmp_path / "out", tmp_path / "images").images == 6
    with pytest.warns(BrineryWarning, match=said):
        make_corpus(tmp_path / "corpus", count=2, size=(16, 12))


def test_a_program_that_takes_messages_gets_the_reason_as_one(tmp_path, tar, no_processes):
    told = []
    brinery.convert(tar, tmp_path / "out", warn=told.append)
    (message,) = told
    assert "there is a reason" in message


def test_what_threads_cannot_do_is_an_error(tmp_path, tar, no_processes):
    with pytest.raises(NoProcessesError, match="there is a reason; threads can work, but not keep a timeout"):
        brinery.convert(tar, tmp_path / "out", timeout=5)


def test_a_run_in_threads_is_recorded_as_one(tmp_path, tar, no_processes):
    brinery.convert(tar, tmp_path / "out", warn=lambda _: None)
    described = run_info(tmp_path / "out")
    assert described["runs"][0]["backend"] == "threading"


def test_threads_that_stepped_in_when_processes_could_not_be_started_are_recorded(tmp_path, tar, monkeypatch):
    def out_of_processes(*_):
        raise NoProcessesError("the limit is reached")

    monkeypatch.setattr(processes.Processes, "submit", out_of_processes)
    with pytest.warns(BrineryWarning, match="the limit is reached; threads of this process work instead"):
        assert brinery.convert(tar, tmp_path / "out", shard_size="1KiB").samples == 6
    assert run_info(tmp_path / "out")["runs"][0]["backend"] == "threading"
    with pytest.raises(NoProcessesError, match="the limit is reached"):
        brinery.convert(tar, tmp_path / "other", timeout=5)


def run_info(out):
    from brinery.engine.datasets.info import describe

    return describe(out)
