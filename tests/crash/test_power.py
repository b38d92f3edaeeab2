"""Power fails in the midst of a convert: what is recorded is there and sound, and the run goes on."""

import array
import fcntl
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import brinery

from ..engine.test_convert import contents
from ..images import jpeg, make_tar
from .disks import make_image, mounted, run

CUTS = 200 if os.environ.get("BRINERY_SOAK") else 2
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
WITHOUT_LOG = array.array("I", [2])  # what has not reached the disk is lost, the journal's end included
OPTIONS = {"shard_size": "64KiB", "workers": 1, "backend": "threading"}
COUNT = 400
AGAIN = {"ext4": "loop", "xfs": "loop,nouuid"}  # XFS mounts no second file system of one UUID

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    tar = make_tar(root / "photos.tar", {f"{index:03}.jpg": jpeg(index) for index in range(COUNT)})
    brinery.convert(tar, root / "whole", fsync=False, **OPTIONS)
    return tar, contents(root / "whole")


def cut_off(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, WITHOUT_LOG)
    finally:
        os.close(descriptor)


def keys(manifest, mode):
    with closing(sqlite3.connect(f"file:{manifest}?mode={mode}", uri=True)) as db:
        return {key for (key,) in db.execute("SELECT key FROM samples")}


def recorded(out):
    """Return the keys so far; none while there is no manifest yet, or it is being written."""
    try:
        return keys(out / "manifest.sqlite", "ro")
    except sqlite3.Error:
        return set()


def recovered(out, aside):
    """Return the keys after the transaction that was cut off is undone, in a copy."""
    aside.mkdir()
    for file in out.glob("manifest.sqlite*"):
        shutil.copy(file, aside)
    return keys(aside / "manifest.sqlite", "rw")


def start(tar, out):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    command = [sys.executable, "-m", "brinery", "convert", *options, str(tar), str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process, code):
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err


def cut_short(tar, disk, chance):
    """Convert until the power fails; return the keys recorded before, and the exit code."""
    process = start(tar, disk / "out")
    enough = chance.randrange(1, COUNT // 2)
    while len(before := recorded(disk / "out")) < enough and process.poll() is None:
        time.sleep(0.002)
    time.sleep(chance.random() / 100)
    before |= recorded(disk / "out")
    cut_off(disk)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return before, process.returncode


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
@pytest.mark.parametrize("cut", range(CUTS))
def test_nothing_recorded_is_lost(archive, tmp_path, kind, cut):
    tar, whole = archive
    chance = random.Random(cut)
    for attempt in range(10):  # a convert that was done before its power failed is begun anew
        image = make_image(kind, tmp_path / "image")
        with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
            before, code = cut_short(tar, disk, chance)
        # Another program's mount namespace may still hold the dead file system: what is mounted is a copy.
        left = tmp_path / f"left{attempt}"
        assert run("cp", "--sparse=always", str(image), str(left)).returncode == 0
        with mounted(tmp_path / "disk", "-o", AGAIN[kind], left) as disk:
            after = recovered(disk / "out", tmp_path / f"manifest{attempt}")
        assert before <= after
        if len(after) < COUNT:
            break
    assert (len(after) < COUNT, code) == (True, 4)
    with mounted(tmp_path / "disk", "-o", AGAIN[kind], left) as disk:
        verified = run(sys.executable, "-m", "brinery", "verify", "--workers", "1", str(disk / "out"))
        assert verified.returncode == 0, verified.stderr
        finish(start(tar, disk / "out"), 0)
        assert sorted(os.listdir(disk / "out")) == ["README.txt", "manifest.sqlite", "shards"]
        shutil.copytree(disk / "out", tmp_path / "copy")
    assert contents(tmp_path / "copy") == whole
