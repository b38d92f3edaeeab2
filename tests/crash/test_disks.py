"""A destination that cannot be written ends a convert with a reason; with room again it goes on."""

import os
import resource
import signal
import subprocess
import sys

import pytest

import brinery

from ..engine.test_convert import contents
from ..images import jpeg, make_tar
from .disks import make_image, mounted
from .running import committed

SOAK = bool(os.environ.get("BRINERY_SOAK"))
OPTIONS = ("--workers", "1", "--shard-size", "128KiB")
COUNT = 300  # arrays of 2,304 bytes: 0.7 MB of shards beside 0.2 MB of manifest
KIBIBYTES = range(16, 1200, 8) if SOAK else (24, 200, 600)
INODES = range(2, 40) if SOAK else (4, 9)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.fixture(scope="module", params=["npy", "npz"] if SOAK else ["npy"])
def protocol(request):
    return request.param


@pytest.fixture(scope="module")
def archive(tmp_path_factory, protocol):
    root = tmp_path_factory.mktemp("archive")
    tar = make_tar(root / "photos.tar", {f"{index:03}.jpg": jpeg(index) for index in range(COUNT)})
    assert convert(tar, root / "whole", protocol).returncode == 0
    return tar, contents(root / "whole")


def convert(tar, out, protocol="npy", *options, backend="threading", **settings):
    command = [sys.executable, "-m", "brinery", "convert", *OPTIONS, "--backend", backend]
    return subprocess.run(
        [*command, "--protocol", protocol, *options, str(tar), str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **settings,
    )


def assert_refused(done, *reasons):
    """It ended with exit code 4 and one line that says why."""
    assert done.returncode == 4, done.stderr
    told = ("warning: ", "converting")  # what comes before the end, on a slow machine
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith(told)]
    assert line.startswith("brinery: cannot "), line
    assert any(reason in line for reason in reasons), line


def assert_intact(out):
    if committed(out):
        assert brinery.verify(out, workers=1).bad == ()


@needs_root
@pytest.mark.parametrize(
    ("option", "sizes"),
    [("size", [f"{n}k" for n in KIBIBYTES]), ("nr_inodes", INODES)],
    ids=["bytes", "inodes"],
)
def test_a_disk_that_is_full_at_any_point(archive, protocol, tmp_path, option, sizes):
    tar, whole = archive
    refused = 0
    for size in sizes:
        with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", f"{option}={size}", "tmpfs") as disk:
            done = convert(tar, disk / "out", protocol)
            if done.returncode:
                refused += 1
                assert_refused(done, "No space left", "disk is full", "unable to open database file")
                assert_intact(disk / "out")
                subprocess.run(["mount", "-o", "remount,size=32m,nr_inodes=10000", disk], check=True)
                assert convert(tar, disk / "out", protocol).returncode == 0
            assert contents(disk / "out") == whole, size
    assert refused >= min(len(sizes), 4) - 1


@needs_root
def test_a_disk_that_is_full_under_worker_processes(archive, protocol, tmp_path):
    tar, whole = archive
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=500k", "tmpfs") as disk:
        assert_refused(convert(tar, disk / "out", protocol, backend="loky"), "No space left", "disk is full")
        assert_intact(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        assert convert(tar, disk / "out", protocol, backend="loky").returncode == 0
        assert contents(disk / "out") == whole


def test_a_file_size_limit(archive, protocol, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    tar, whole = archive
    assert_refused(convert(tar, tmp_path / "out", protocol, preexec_fn=limit), "File too large", "disk I/O")
    assert_intact(tmp_path / "out")
    assert convert(tar, tmp_path / "out", protocol).returncode == 0
    assert contents(tmp_path / "out") == whole


@needs_root
def test_a_disk_that_may_only_be_read(archive, protocol, tmp_path):
    tar, _ = archive
    (tmp_path / "real").mkdir()
    assert convert(tar, tmp_path / "real" / "old", protocol, "--limit", "50").returncode == 0
    with mounted(tmp_path / "disk", "--bind", "-o", "ro", tmp_path / "real") as disk:
        assert_refused(convert(tar, disk / "new", protocol), "Read-only file system")
        assert_refused(convert(tar, disk / "old", protocol), "Read-only file system", "readonly")
        assert_refused(convert(tar, disk / "old", protocol, "--overwrite"), "Read-only file system")
        with brinery.open(disk / "old", verify=True) as dataset:
            assert len(list(dataset)) == 50


@needs_root
def test_a_disk_that_becomes_read_only_meanwhile(archive, protocol, tmp_path):
    tar, whole = archive
    image = make_image("ext4", tmp_path / "image")
    with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
        command = [sys.executable, "-m", "brinery", "convert", *OPTIONS, "--backend", "threading"]
        process = subprocess.Popen(
            [*command, "--protocol", protocol, str(tar), str(disk / "out")], stderr=subprocess.PIPE, text=True
        )
        shards = disk / "out" / "shards"
        while not shards.is_dir() or len(os.listdir(shards)) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGSTOP)  # however fast it is, it is not done before the disk is
        subprocess.run(["mount", "-o", "remount,abort", disk], check=True)  # as after an I/O error
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
        done = subprocess.CompletedProcess(command, process.returncode, stderr=err)
        assert_refused(done, "Read-only", "readonly", "I/O error", "output error")
    subprocess.run(["fsck.ext4", "-p", image], check=False, capture_output=True)
    with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
        assert_intact(disk / "out")
        assert convert(tar, disk / "out", protocol).returncode == 0
        assert contents(disk / "out") == whole
