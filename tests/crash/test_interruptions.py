"""Whatever ends a convert, the same command goes on and the dataset comes out the same."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from ..engine.test_convert import contents
from ..images import jpeg, make_tar

COMMAND = ("convert", "--workers", "2", "--shard-size", "256KiB", "--protocol", "json")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    tar = make_tar(
        root / "photos.tar", {f"{index:03}.jpg": jpeg(index, (96, 128, 3)) for index in range(240)}
    )
    finish(start(tar, root / "whole"), 0)
    return tar, contents(root / "whole")


def start(tar, out, *options, **settings):
    command = [sys.executable, "-m", "brinery", *COMMAND, *options, str(tar), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def finish(process, code, within=60):
    begin = time.monotonic()
    out, err = process.communicate(timeout=within)
    assert process.returncode == code, err
    assert "Traceback" not in err
    return time.monotonic() - begin, out, err


def committed(out):
    try:
        with sqlite3.connect(f"file:{out}/manifest.sqlite?mode=ro", uri=True, timeout=5) as db:
            return db.execute("SELECT COUNT(*) FROM samples").fetchone()[0]
    except sqlite3.Error:
        return 0


def wait_for_samples(process, out, count=20):
    deadline = time.monotonic() + 30
    while committed(out) < count:
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_resumes(archive, out):
    tar, whole = archive
    before = committed(out)
    assert 0 < before < 240
    finish(start(tar, out), 0)
    assert contents(out) == whole
    assert sorted(os.listdir(out)) == ["manifest.sqlite", "shards"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_interrupted_and_terminated_runs_end_soon_and_resume(archive, tmp_path, number, code, backend):
    process = start(archive[0], tmp_path / "out", "--backend", backend)
    wait_for_samples(process, tmp_path / "out")
    process.send_signal(number)
    seconds, _, err = finish(process, code)
    assert seconds < 5
    assert "what was committed stays" in err
    assert_resumes(archive, tmp_path / "out")


def test_ctrl_c_reaches_the_workers_too(archive, tmp_path):
    process = start(archive[0], tmp_path / "out", start_new_session=True)
    wait_for_samples(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)
    finish(process, 130)
    assert_resumes(archive, tmp_path / "out")


def test_a_killed_run_leaves_no_workers_and_resumes(archive, tmp_path):
    process = start(archive[0], tmp_path / "out")
    wait_for_samples(process, tmp_path / "out")
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert_resumes(archive, tmp_path / "out")


def test_a_run_outlives_its_workers(archive, tmp_path):
    process = start(archive[0], tmp_path / "out")
    for enough in (20, 80):
        wait_for_samples(process, tmp_path / "out", enough)
        workers = [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "popen_loky" in " ".join(child.cmdline())
        ]
        workers[0].kill()
    finish(process, 0)
    assert contents(tmp_path / "out") == archive[1]


def test_a_file_size_limit_is_an_error_with_a_reason(archive, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    process = start(archive[0], tmp_path / "out", "--shard-size", "1MiB", preexec_fn=limit)
    _, _, err = finish(process, 4)
    assert "File too large" in err
    finish(start(archive[0], tmp_path / "out", "--shard-size", "1MiB"), 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_an_error_with_a_reason_and_the_run_resumes(archive, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system could be mounted: {mounted.stderr.decode().strip()}")
    try:
        _, _, err = finish(start(archive[0], disk / "out"), 4)
        assert "No space left" in err or "full" in err
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        finish(start(archive[0], disk / "out"), 0)
        assert contents(disk / "out") == archive[1]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
