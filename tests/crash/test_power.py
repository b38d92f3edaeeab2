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

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = tmp_path_factory.mktemp("archive")
    tar = make_tar(root / "photos.tar", {f"{index:03}.jpg": jpeg(index) for index in range(COUNT)})
    brinery.convert(tar, root / "whole", fsync=False, **OPTIONS)
    return tar, contents(root / "whole")


@pytest.fixture(params=["ext4", "xfs"])
def image(request, tmp_path):
    return make_image(request.param, tmp_path / "image")


def cut_off(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, WITHOUT_LOG)
    finally:
        os.close(descriptor)


def recorded(out):
    try:
        with closing(sqlite3.connect(f"file:{out}/manifest.sqlite?mode=ro", uri=True)) as db:
            return {key for (key,) in db.execute("SELECT key FROM samples")}
    except sqlite3.Error:
        return set()


def start(tar, out):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    command = [sys.executable, "-m", "brinery", "convert", *options, str(tar), str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process, code):
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err


@pytest.mark.parametrize("cut", range(CUTS))
def test_nothing_recorded_is_lost(archive, image, tmp_path, cut):
    tar, whole = archive
    chance = random.Random(cut)
    with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
        process = start(tar, disk / "out")
        enough = chance.randrange(1, COUNT // 2)
        while len(before := recorded(disk / "out")) < enough:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.002)
        time.sleep(chance.random() / 100)
        before |= recorded(disk / "out")
        cut_off(disk)
        finish(process, 4)
    with mounted(tmp_path / "disk", "-o", "loop", image) as disk:
        after = recorded(disk / "out")
        assert before <= after
        assert len(after) < COUNT
        verified = run(sys.executable, "-m", "brinery", "verify", "--workers", "1", str(disk / "out"))
        assert verified.returncode == 0, verified.stderr
        finish(start(tar, disk / "out"), 0)
        assert sorted(os.listdir(disk / "out")) == ["manifest.sqlite", "shards"]
        shutil.copytree(disk / "out", tmp_path / "copy")
    assert contents(tmp_path / "copy") == whole
