"""An image that kills or hangs its worker costs itself and nothing else."""

import os
import sqlite3
import subprocess
import sys

import numpy as np
import pytest

import brinery

from ..engine.test_convert import contents
from ..images import as_pillow, jpeg, make_tar

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
        raise MemoryError
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

    def run(source, out, *options):
        command = [sys.executable, "-m", "brinery", "convert", "--workers", "2", "--shard-size", "256KiB"]
        return subprocess.run(
            [*command, *options, str(source), str(out)],
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
    planted |= {"0998": "hang", "0999": "segfault"}
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
    done = convert(make_tar(tmp_path / "in.tar", files), tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert failures(tmp_path / "out") == {"7.jpg": "DecodeError"}


def test_the_shards_are_those_of_an_archive_where_the_poison_is_just_broken(tmp_path, convert):
    healthy = {f"{index:03}.jpg": jpeg(index) for index in range(60)}
    killer = poison(30, "kill")
    broken = b"\xff\xd8\xff" + bytes(len(killer) - 3)
    for name, data in (("killer", killer), ("broken", broken)):
        tar = make_tar(tmp_path / f"{name}.tar", healthy | {"030.jpg": data})
        assert convert(tar, tmp_path / name).returncode == 3
    assert contents(tmp_path / "killer")[0] == contents(tmp_path / "broken")[0]
