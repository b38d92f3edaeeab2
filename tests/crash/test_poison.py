"""An image that kills or hangs its worker costs itself and nothing else."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import brinery

from ..engine.test_convert import contents
from ..images import as_pillow, jpeg, make_folder, make_tar

# Stands for a bug in a decoder: the comment in a JPEG says what it does to its worker.
DECODER = """
import os, signal, time
import simplejpeg

decode = simplejpeg.decode_jpeg

def decode_jpeg(data, *arguments, **options):
    if b"POISON:kill" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    if b"POISON:segfault" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"POISON:memory" in data:
        hog = [bytes([1]) * (64 << 20) for _ in range(1000)]
    if b"POISON:abort" in data:
        os.abort()
    while b"POISON:hang" in data:
        time.sleep(1)
    return decode(data, *arguments, **options)

simplejpeg.decode_jpeg = decode_jpeg
"""


def poison(index, how):
    data = jpeg(index)
    comment = b"POISON:" + how.encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


@pytest.fixture
def convert(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DECODER)

    def run(*arguments, code=None, **settings):
        command = [sys.executable, "-m", "brinery", "convert", "--workers", "2", "--shard-size", "256KiB"]
        return subprocess.run(
            [*(command if code is None else [sys.executable, "-c", code]), *map(str, arguments)],
            **settings,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def failures(dataset):
    with sqlite3.connect(dataset / "manifest.sqlite") as db:
        return dict(db.execute("SELECT key, error FROM failures"))


def test_seven_poison_images_among_a_thousand(tmp_path, convert):
    healthy = {f"{index:04}.jpg": jpeg(index % 50) for index in range(1000)}
    planted = {"0003": "kill", "0004": "kill", "0200": "segfault", "0500": "hang", "0777": "kill"}
    planted |= {"0998": "hang", "0999": "abort"}
    files = healthy | {f"{name}.jpg": poison(int(name), how) for name, how in planted.items()}
    done = convert(make_tar(tmp_path / "in.tar", files), tmp_path / "out", "--timeout", "2")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert failures(tmp_path / "out") == {
        f"{name}.jpg": "Timeout" if how == "hang" else "WorkerDied" for name, how in planted.items()
    }
    with brinery.open(tmp_path / "out") as dataset:
        assert len(dataset) == 993
        for name in ("0002.jpg", "0005.jpg", "0499.jpg", "0997.jpg"):
            np.testing.assert_array_equal(dataset[name], as_pillow(files[name]))
    before = contents(tmp_path / "out")
    again = convert(tmp_path / "in.tar", tmp_path / "out", "--timeout", "2")
    assert (again.returncode, contents(tmp_path / "out")) == (3, before)


def test_a_member_that_does_not_fit_into_memory_fails_alone(tmp_path, convert):
    files = {f"{index}.jpg": jpeg(index) for index in range(20)} | {"7.jpg": poison(7, "memory")}
    done = convert(make_tar(tmp_path / "in.tar", files), tmp_path / "out", "--memory", "512MiB")
    assert done.returncode == 3, done.stderr
    with sqlite3.connect(tmp_path / "out" / "manifest.sqlite") as db:
        ((key, message),) = db.execute("SELECT key, message FROM failures")
        ((summary,),) = db.execute("SELECT summary FROM runs")
    assert (key, message) == ("7.jpg", "JPEG that does not fit into the memory that there is")
    assert json.loads(summary)["peak_rss_bytes"] < 1 << 30  # parent and two workers


MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.fixture
def group(tmp_path):
    """A cgroup of 400 MB: what passes that is killed by the kernel."""
    folder = MEMORY_GROUPS / f"brinery-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(400 << 20))
    except OSError as error:
        pytest.skip(f"no cgroup of its own: {error}")
    yield folder
    for _ in range(50):
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.1)
        else:
            return


def test_a_worker_that_the_kernel_kills_for_memory_costs_one_image(tmp_path, convert, group):
    files = {f"{index:02}.jpg": jpeg(index) for index in range(40)} | {"07.jpg": poison(7, "memory")}
    tar = make_tar(tmp_path / "in.tar", files)

    def enter():
        (group / "tasks").write_text("0")

    done = convert(tar, tmp_path / "out", "--memory", "64GiB", preexec_fn=enter)
    assert done.returncode == 3, done.stderr
    assert failures(tmp_path / "out") == {"07.jpg": "WorkerDied"}
    assert brinery.verify(tmp_path / "out", workers=1).samples == 39


TWICE = """
import sys, brinery
options = {"workers": 2, "shard_size": "16KiB", "fsync": False}
print(brinery.convert(sys.argv[1], sys.argv[3], **options).failures)
print(brinery.convert(sys.argv[2], sys.argv[3], add=True, timeout=1, **options).failures)
"""


def test_warm_workers_are_watched_in_every_run(tmp_path, convert):
    files = {f"{index:02}.jpg": jpeg(index) for index in range(40)}
    first = make_folder(tmp_path / "first" / "in", files)
    second = make_folder(tmp_path / "second" / "in", files | {"50.jpg": poison(50, "hang")})
    done = convert(first, second, tmp_path / "out", code=TWICE)
    assert done.stdout.split() == ["0", "1"], done.stderr
    assert failures(tmp_path / "out") == {"second/in/50.jpg": "Timeout"}


DEATHS = """
import sys
from brinery.engine.datasets.info import describe
print(describe(sys.argv[1])["runs"][-1]["summary"]["workers_died"])
"""


def test_the_shards_are_those_of_an_archive_where_the_poison_is_just_broken(tmp_path, convert):
    healthy = {f"{index:03}.jpg": jpeg(index) for index in range(60)}
    killer = poison(30, "kill")
    broken = b"\xff\xd8\xff" + bytes(len(killer) - 3)
    for name, data in (("killer", killer), ("broken", broken)):
        tar = make_tar(tmp_path / f"{name}.tar", healthy | {"030.jpg": data})
        done = convert(tar, tmp_path / name)
        assert done.returncode == 3
        died = json.loads(convert(tmp_path / name, code=DEATHS).stdout)
        assert (died > 0, "warning: a worker process died" in done.stderr) == (name == "killer",) * 2
        assert ("warning: 030.jpg has failed: the worker process" in done.stderr) == (name == "killer")
    assert contents(tmp_path / "killer")[0] == contents(tmp_path / "broken")[0]
