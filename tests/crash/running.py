"""Real converts that are watched, broken off and taken up again."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from ..engine.test_convert import contents
from ..images import jpeg, make_tar

COUNT = 240
COMMAND = ("convert", "--workers", "2", "--shard-size", "256KiB", "--protocol", "json")


def make_archive(root):
    """A tar, and what an unbroken run makes of it."""
    tar = make_tar(
        root / "photos.tar", {f"{index:03}.jpg": jpeg(index, (96, 128, 3)) for index in range(COUNT)}
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
    assert "Traceback" not in err, err
    return time.monotonic() - begin, out, err


def committed(out):
    try:
        with closing(sqlite3.connect(f"file:{out}/manifest.sqlite?mode=ro", uri=True, timeout=5)) as db:
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
    assert 0 < before < COUNT
    finish(start(tar, out), 0)
    assert contents(out) == whole
    assert sorted(os.listdir(out)) == ["manifest.sqlite", "shards"]
