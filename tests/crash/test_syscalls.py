"""A convert killed at, or refused, any one system call goes on to the dataset of an unbroken run.

strace injects the faults. It counts system calls a thread; one worker of the threading backend works in
the main thread. Files of samples are written by pwritev2 in a worker, which waits for the device by
sync_file_range, and published by fsync and rename; the manifest by sqlite through pwrite64, fdatasync and
unlink.
"""

import errno
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from typing import NamedTuple

import pytest

import brinery

from ..engine.test_convert import contents
from ..images import jpeg, make_tar

SOAK = bool(os.environ.get("BRINERY_SOAK"))
OPTIONS = ("--workers", "1", "--shard-size", "96KiB")
CALLS = (
    "pwritev,pwritev2,pwrite64,ftruncate,sync_file_range,fsync,fdatasync,rename,renameat2,mkdir,unlink,"
    "unlinkat,rmdir"
)
LINE = re.compile(r"(\d+) +(\w+)\((.*)")


class Point(NamedTuple):
    """The nth call of a system call, and the file or folder that it is for."""

    call: str
    number: int
    path: str

    def __str__(self):
        return f"{self.call} {self.number}"


def strace(*arguments, tar, out, backend="threading", options=()):
    options = (*OPTIONS, "--backend", backend, *options)
    command = [sys.executable, "-m", "brinery", "convert", *options, str(tar), str(out)]
    return subprocess.run(
        ["strace", "-f", *arguments, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive of five units, what an unbroken run makes of it, and every point where one could break."""
    root = tmp_path_factory.mktemp("archive")
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    probe = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace may trace nothing here: {probe.stderr.strip()}")
    tar = make_tar(root / "photos.tar", {f"{index:03}.jpg": jpeg(index) for index in range(36)})
    done = strace(
        "--seccomp-bpf",
        "-y",
        "-s",
        "0",
        "-e",
        f"trace={CALLS}",
        "-o",
        str(root / "log"),
        tar=tar,
        out=root / "whole",
    )
    assert done.returncode == 0, done.stderr
    return tar, contents(root / "whole"), points((root / "log").read_text(), str(root / "whole"))


def points(log, out):
    """Every call that a log shows within the dataset, by the name of the system call."""
    found = defaultdict(list)
    seen = Counter()
    for line in log.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        thread, call, arguments = match.groups()
        seen[thread, call] += 1
        path = re.search(rf"[<\"]({re.escape(out)}[^>\"]*)[>\"]", arguments)
        if path is not None:
            found[call].append(Point(call, seen[thread, call], path[1].removeprefix(out).lstrip("/")))
    return dict(found)


def spread(points, count):
    """Some of the points, evenly, with the first and the last; all of them in a soak."""
    if SOAK or len(points) <= count:
        return points
    if count == 1:
        return points[len(points) // 2 :][:1]
    return [points[round(i * (len(points) - 1) / (count - 1))] for i in range(count)]


def chosen(points, counts):
    """Points of several system calls; every one must be there, or the test would not test it."""
    assert counts.keys() <= points.keys()
    return [point for call, count in counts.items() for point in spread(points[call], count)]


def resume(tar, out, **options):
    brinery.convert(tar, out, workers=1, backend="threading", shard_size="96KiB", **options)
    assert sorted(os.listdir(out)) == ["README.txt", "manifest.sqlite", "shards"]
    return contents(out)


def inject(point, fault, log, **how):
    # With --seccomp-bpf strace leaves all other calls alone, but kills nobody.
    quick = () if fault.startswith("signal") else ("--seccomp-bpf",)
    done = strace(
        *quick, "-e", f"trace={point.call}", "-e", f"inject={point.call}:{fault}:when={point.number}",
        "-o", str(log), **how,
    )  # fmt: skip
    assert re.search("INJECTED|killed by SIGKILL", log.read_text()), f"{point} was not reached"
    assert "Traceback" not in done.stderr
    return done


KILLS = {
    "files": {"mkdir": 3, "pwritev2": 1, "fsync": 2, "rename": 2},
    "manifest": {"pwrite64": 3, "fdatasync": 2, "unlink": 2},
}


@pytest.mark.parametrize("of", KILLS)
def test_killed_at_a_system_call_the_same_command_goes_on(archive, tmp_path, of):
    tar, whole, found = archive
    for point in chosen(found, KILLS[of]):
        out = tmp_path / str(point)
        done = inject(point, "signal=KILL", tmp_path / "log", tar=tar, out=out)
        assert done.returncode == -signal.SIGKILL
        assert resume(tar, out) == whole, point


def test_killed_at_a_system_call_a_fresh_start_goes_on(archive, tmp_path):
    tar, whole, _ = archive
    found = {}
    for number, name in enumerate(("log", "again")):
        out = tmp_path / "whole"
        done = strace(
            "--seccomp-bpf", "-y", "-s", "0", "-e", "trace=unlinkat,rmdir,unlink", "-o", str(tmp_path / name),
            tar=tar, out=out, options=("--overwrite",),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = points((tmp_path / name).read_text(), str(out)) if number else found
    made = tmp_path / "made"
    resume(tar, made)
    for point in chosen(found, {"unlinkat": 1, "rmdir": 1, "unlink": 2}):
        out = tmp_path / str(point)
        shutil.copytree(made, out)
        inject(point, "signal=KILL", tmp_path / "log", tar=tar, out=out, options=("--overwrite",))
        assert resume(tar, out, overwrite=True) == whole, point


@pytest.mark.parametrize("call", ["pwritev2", "sync_file_range"])
def test_worker_processes_killed_at_a_system_call_cost_nothing(archive, tmp_path, call):
    # A worker that dies where it writes names no member as the reason; its units are done anew. Each of the
    # workers dies at the same count, so the first call of all would leave none that gets anything done.
    tar, whole, found = archive
    points = spread(found["pwritev2"][len(found["pwritev2"]) // len(whole[0]) :], 1)
    if call == "sync_file_range":  # before a shard's result leaves, once its worker has made another
        points = [Point(call, 1, "")]
    for point in points:
        out = tmp_path / str(point)
        done = inject(point, "signal=KILL", tmp_path / "log", tar=tar, out=out, backend="loky")
        assert done.returncode == 0, (point, done.stderr)
        assert contents(out) == whole, point
        assert sorted(os.listdir(out)) == ["README.txt", "manifest.sqlite", "shards"]


def test_a_run_killed_beside_its_worker_process_goes_on(archive, tmp_path):
    # The parent renames each shard; how often it writes the manifest depends on how many units come together.
    tar, whole, found = archive
    for point in spread(found["rename"], 1):
        done = inject(point, "signal=KILL", tmp_path / "log", tar=tar, out=tmp_path / "out", backend="loky")
        assert done.returncode == -signal.SIGKILL
        assert resume(tar, tmp_path / "out") == whole
        shutil.rmtree(tmp_path / "out")


ERRORS = {
    "ENOSPC": {"mkdir": 3, "pwritev2": 2, "pwrite64": 4, "rename": 1},
    "EDQUOT": {"pwritev2": 1, "mkdir": 1},
    "EIO": {"pwritev2": 1, "fsync": 2, "rename": 1, "pwrite64": 2, "fdatasync": 3, "unlink": 2},
}


@pytest.mark.parametrize("error", ERRORS)
def test_a_system_call_that_fails_is_an_error_with_a_reason_and_the_run_resumes(archive, tmp_path, error):
    tar, whole, found = archive
    for point in chosen(found, ERRORS[error]):
        if point.call == "fdatasync" and not point.path:
            continue  # sqlite flushes the folder too, and goes on where file systems refuse that
        out = tmp_path / str(point)
        done = inject(point, f"error={error}", tmp_path / "log", tar=tar, out=out)
        assert done.returncode == 4, (point, done.stderr)
        assert re.fullmatch(r"brinery: cannot (write|make) [^\n]*\n", done.stderr), point
        assert os.strerror(getattr(errno, error)) in done.stderr or "disk" in done.stderr, point
        assert_intact(out)
        assert resume(tar, out) == whole, point


def assert_intact(out):
    """What is recorded is there and sound, where it got as far as a manifest."""
    manifest = out / "manifest.sqlite"
    if manifest.exists():
        with sqlite3.connect(manifest) as db:
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return
        with brinery.open(out, verify=True) as dataset:
            for _ in dataset:
                pass
