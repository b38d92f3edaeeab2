"""Whatever ends a convert, the same command goes on and the dataset comes out the same."""

import os
import random
import re
import signal
import subprocess
import time
from contextlib import suppress

import psutil
import pytest

from ..engine.test_convert import contents
from .running import (
    COUNT,
    assert_resumes,
    committed,
    finish,
    make_archive,
    start,
    start_slowly,
    wait_for_samples,
)

SOAK = bool(os.environ.get("BRINERY_SOAK"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return make_archive(tmp_path_factory.mktemp("archive"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_interrupted_and_terminated_runs_end_soon_and_resume(archive, tmp_path, number, code, backend):
    process = start_slowly(archive[0], tmp_path / "out", "--backend", backend)
    wait_for_samples(process, tmp_path / "out")
    process.send_signal(number)
    seconds, _, err = finish(process, code)
    assert seconds < 5
    assert "what was committed stays" in err
    assert_resumes(archive, tmp_path / "out")


def test_a_run_that_keeps_images_resumes_after_a_kill(archive, tmp_path):
    kept = ("--protocol", "encoded")
    finish(start(archive[0], tmp_path / "whole", *kept), 0)
    process = start_slowly(archive[0], tmp_path / "out", *kept, start_new_session=True)
    wait_for_samples(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGKILL)
    finish(process, -signal.SIGKILL)
    assert 0 < committed(tmp_path / "out") < COUNT
    finish(start(archive[0], tmp_path / "out", *kept), 0)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_second_ctrl_c_ends_a_run_that_does_not_end(archive, tmp_path):
    process = start_slowly(archive[0], tmp_path / "out", more=SLOW_END)
    wait_for_samples(process, tmp_path / "out")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGINT)
    seconds, _, _ = finish(process, -signal.SIGINT)
    assert seconds < 2
    assert_resumes(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("module", "code"), [("click", -signal.SIGINT), ("numpy", 130), ("brinery.engine.converting.run", 130)]
)
def test_ctrl_c_while_the_program_still_loads_shows_no_traceback(archive, tmp_path, module, code):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_LOADING.format(module=module))
    process = start(archive[0], tmp_path / "out", env=os.environ | {"PYTHONPATH": str(tmp_path)})
    finish(process, code)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_reaches_the_workers_too(archive, tmp_path):
    process = start_slowly(archive[0], tmp_path / "out", start_new_session=True)
    wait_for_samples(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)
    finish(process, 130)
    assert_resumes(archive, tmp_path / "out")


INTERRUPTED_LOADING = """
import os, signal, sys

class Interruption:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interruption())
"""

SLOW_END = """
import threading, time

def wait_at_the_end(close):
    def slow(self):
        time.sleep(60)
        close(self)
    return slow

def patch():
    import sys
    while "brinery.engine.converting.destination" not in sys.modules:
        time.sleep(0.005)
    time.sleep(0.05)
    from brinery.engine.converting.destination import Destination
    Destination.close = wait_at_the_end(Destination.close)

threading.Thread(target=patch, daemon=True).start()
"""

GIL_HOLDER = """
import os, re, simplejpeg

decode = simplejpeg.decode_jpeg
count = 0

def decode_jpeg(data, *arguments, **options):
    global count
    count += 1
    if count == 60:
        open(os.path.join(os.environ["TMPDIR"], "..", f"holds-{os.getpid()}"), "w").close()
        re.match("(a+)+$", "a" * 60 + "b")  # native code that holds the interpreter for ages
    return decode(data, *arguments, **options)

simplejpeg.decode_jpeg = decode_jpeg
"""


def temporary_files():
    return {name for folder in ("/tmp", "/dev/shm") for name in os.listdir(folder)}


def left_behind(pid, before):
    """What a process put into the folders for temporary files, by its number in the name."""
    number = re.compile(rf"(?<![0-9a-z]){pid}(?![0-9a-z])")  # other runs' random names may hold its digits
    return [name for name in temporary_files() - before if number.search(name)]


@pytest.mark.parametrize("workers", ["at work", "in native code"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_ends_leaves_no_workers_and_no_files(archive, tmp_path, number, workers):
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    before = temporary_files()  # an earlier process may have had the same number
    out, more = tmp_path / "out", GIL_HOLDER if workers == "in native code" else ""
    process = start_slowly(archive[0], out, pause=0.01 if more else 0.05, more=more, env=environment)
    wait_for_samples(process, out)
    while more and len(list(tmp_path.glob("holds-*"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(number)
    process.communicate(timeout=20)
    _, alive = psutil.wait_procs(children, timeout=2)
    assert alive == []
    assert os.listdir(tmp_path / "tmp") == []
    assert left_behind(process.pid, before) == []
    assert_resumes(archive, tmp_path / "out")


def children(process, kind):
    """The processes below a run of which the command line says what they are."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            if kind in " ".join(child.cmdline()):
                found.append(child)
    return found


WORKERS, TRACKERS = "popen_loky", "resource_tracker"


def test_a_run_outlives_its_workers(archive, tmp_path):
    process = start_slowly(archive[0], tmp_path / "out", pause=0.02)
    for enough in (20, 80):
        wait_for_samples(process, tmp_path / "out", enough)
        children(process, WORKERS)[0].kill()
    finish(process, 0)
    assert contents(tmp_path / "out") == archive[1]


def test_a_run_outlives_the_trackers_of_its_pool(archive, tmp_path):
    process = start_slowly(archive[0], tmp_path / "out", pause=0.02)
    wait_for_samples(process, tmp_path / "out")
    trackers = children(process, TRACKERS)
    assert trackers
    for tracker in trackers:
        tracker.kill()
    process.communicate(timeout=60)  # new ones complain on stderr of names that they never heard
    assert process.returncode == 0
    assert contents(tmp_path / "out") == archive[1]


@pytest.mark.parametrize("attempt", range(60 if SOAK else 1))
def test_killed_again_and_again_at_any_time(archive, tmp_path, attempt):
    chance = random.Random(attempt)
    for _ in range(5):
        process = start_slowly(archive[0], tmp_path / "out", pause=0.02)
        try:
            process.wait(timeout=chance.uniform(0.05, 2))
        except subprocess.TimeoutExpired:
            workers = children(process, WORKERS)
            chance.choice([process, *workers]).kill()
            if workers and chance.random() < 0.5:
                process.kill()
        if process.poll() is None:
            try:
                process.wait(timeout=chance.uniform(0.05, 2))
            except subprocess.TimeoutExpired:
                process.kill()
        _, err = process.communicate()
        assert "Traceback" not in err, err
        assert process.returncode in (0, -signal.SIGKILL), err
    finish(start(archive[0], tmp_path / "out"), 0)
    assert contents(tmp_path / "out") == archive[1]
    assert sorted(os.listdir(tmp_path / "out")) == ["README.txt", "manifest.sqlite", "shards"]
