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
COMMAND = ("convert", "--workers", "2", "--shard-size", "256KiB")
SLOWLY = """
import importlib.util, sys, time

class Slowly:
    def find_spec(self, name, path=None, target=None):
        if name != "simplejpeg":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_slowly(module):
            load(module)
            decode = module.decode_jpeg
            module.decode_jpeg = lambda *arguments, **options: (
                time.sleep({pause}), decode(*arguments, **options)
            )[1]

        spec.loader.exec_module = load_slowly
        return spec

sys.meta_path.insert(0, Slowly())
"""


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


def start_slowly(tar, out, *options, pause=0.05, more="", env=os.environ, **settings):
    """Start a convert that waits before it decodes an image: it lasts, and takes no CPU meanwhile.

    Args:
        pause: seconds for each image.
        more: what else its processes do when they start.
    """
    (out.parent / "sitecustomize.py").write_text(SLOWLY.format(pause=pause) + more)
    return start(tar, out, *options, env=env | {"PYTHONPATH": str(out.parent)}, **settings)


def finish(process, code, within=180):
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
    deadline = time.monotonic() + 120
    while committed(out) < count:
        assert process.poll() is None, "it ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_resumes(archive, out):
    tar, whole = archive
    before = committed(out)
    assert 0 < before < COUNT
    finish(start(tar, out, "--backend", "threading"), 0)
    assert contents(out) == whole
    assert sorted(os.listdir(out)) == ["README.txt", "manifest.sqlite", "shards"]
