"""Worker processes: as many as there is work for, warm for the next call, gone with who started them."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import joblib
import psutil
import pytest

import brinery
from brinery.engine.workers import pool
from brinery.errors import BrineryWarning

from ...images import images, make_folder, make_tar


def pid_of_worker(_):
    time.sleep(0.02)
    return os.getpid()


def workers_alive():
    """The worker processes of this process."""
    children = psutil.Process().children()
    return {child.pid for child in children if "popen_loky" in " ".join(child.cmdline())}


@pytest.mark.parametrize("tasks", [1, 3])
def test_no_more_processes_start_than_there_are_tasks(tasks):
    pool.shutdown()
    list(pool.run(pid_of_worker, range(tasks), workers=16))
    assert len(workers_alive()) == tasks


def test_tasks_that_are_slow_to_come_are_not_waited_for():
    pool.shutdown()

    def tasks():
        yield 0
        yield 1
        time.sleep(0.2)
        yield 2

    list(pool.run(pid_of_worker, tasks(), workers=3))
    assert len(workers_alive()) == 3


def test_a_convert_of_few_images_starts_few_processes(tmp_path):
    tar = make_tar(tmp_path / "few.tar", images(3))
    pool.shutdown()
    brinery.convert(tar, tmp_path / "out", workers=16)
    assert len(workers_alive()) == 1
    brinery.verify(tmp_path / "out", workers=16)
    brinery.restore(tmp_path / "out", tmp_path / "images", workers=16)
    assert len(workers_alive()) == 1


def test_a_call_with_less_work_leaves_warm_processes_alone():
    list(pool.run(pid_of_worker, range(12), workers=2))
    before = workers_alive()
    list(pool.run(pid_of_worker, range(1), workers=2))
    assert workers_alive() == before
    assert len(before) == 2


def test_a_call_that_may_use_fewer_processes_has_fewer():
    list(pool.run(pid_of_worker, range(12), workers=3))
    list(pool.run(pid_of_worker, range(12), workers=2))
    assert len(workers_alive()) == 2


def test_idle_processes_that_were_killed_are_replaced():
    list(pool.run(pid_of_worker, range(4), workers=2))
    for pid in workers_alive():
        psutil.Process(pid).kill()
    time.sleep(0.2)  # the pool has noticed
    assert len(list(pool.run(pid_of_worker, range(4), workers=2))) == 4


def test_two_threads_have_processes_of_their_own():
    found = {}

    def use(name):
        found[name] = set(pool.run(pid_of_worker, range(12), workers=2))

    threads = [threading.Thread(target=use, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["a"]
    assert found["a"].isdisjoint(found["b"])
    assert len(workers_alive()) == 2  # those of the one that ended last


def test_a_users_own_joblib_goes_on():
    before = joblib.Parallel(2)(joblib.delayed(pid_of_worker)(n) for n in range(4))
    ours = set(pool.run(pid_of_worker, range(4), workers=2))
    after = joblib.Parallel(2)(joblib.delayed(pid_of_worker)(n) for n in range(4))
    assert set(before) & set(after)
    assert ours.isdisjoint(before)


def convert_child(folder, out, ended):
    warnings.simplefilter("ignore", BrineryWarning)  # threads work once the process is about to end
    assert brinery.convert(folder, out, workers=2).samples == 5
    ended.value = time.time()


def convert_grandchild(*given):
    process = multiprocessing.Process(target=convert_child, args=given)
    process.start()
    process.join()
    sys.exit(process.exitcode)


def convert_in_a_thread(*given):
    thread = threading.Thread(target=convert_child, args=given)
    thread.start()
    thread.join()


def convert_behind_the_end(*given):
    """Return while a thread still converts: multiprocessing waits for it."""
    threading.Thread(target=convert_child, args=given).start()


CHILDREN = (
    ("fork", convert_child, False),
    ("fork", convert_child, True),
    ("spawn", convert_child, True),
    ("forkserver", convert_child, False),
    ("fork", convert_grandchild, True),
    ("fork", convert_in_a_thread, False),
    ("fork", convert_behind_the_end, True),
)


@pytest.mark.parametrize(("method", "target", "after_a_convert"), CHILDREN)
def test_a_child_of_multiprocessing_ends_when_its_convert_has(tmp_path, method, target, after_a_convert):
    folder = make_folder(tmp_path / "photos", images(5))
    pool.shutdown()
    if after_a_convert:
        brinery.convert(folder, tmp_path / "before", workers=2)
    context = multiprocessing.get_context(method)
    ended = context.Value("d", 0.0)
    child = context.Process(target=target, args=(folder, tmp_path / "out", ended))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert 0 < time.time() - ended.value < 10
    assert len(brinery.open(tmp_path / "out")) == 5
    assert not [one for one in psutil.process_iter(["ppid"]) if one.info["ppid"] == child.pid]
    if after_a_convert:
        assert brinery.convert(folder, tmp_path / "after", workers=2).samples == 5


def test_a_daemonic_child_works_in_threads_and_says_so(tmp_path):
    folder = make_folder(tmp_path / "photos", images(5))
    with multiprocessing.get_context("spawn").Pool(1) as one:
        assert one.apply(samples_and_warning, (folder, tmp_path / "out")) == (5, 1)


def samples_and_warning(folder, out):
    with pytest.warns(BrineryWarning, match="daemonic process .* may not start others; threads") as told:
        samples = brinery.convert(folder, out, workers=2).samples
    return samples, len(told)


def samples_of(folder, out):
    return brinery.convert(folder, out, workers=2).samples


def test_a_worker_of_another_pool_converts(tmp_path):
    folder = make_folder(tmp_path / "photos", images(5))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as other:
        assert other.submit(samples_of, folder, tmp_path / "out").result(60) == 5


SCRIPT = """
import atexit, os, sys, brinery
def convert(name):
    return brinery.convert(sys.argv[1], os.path.join(sys.argv[2], name), workers=2).samples
{}
"""
FORK = """
assert convert("before") == 5
child = os.fork()
if not child:
    os._exit(convert("child"))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
assert convert("after") == 5
"""
AT_EXIT = """
atexit.register(lambda: print(convert("late")))
if "before" in sys.argv: convert("before")
"""


def run_script(text, *given):
    command = [sys.executable, "-c", SCRIPT.format(text), *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_a_process_forked_by_hand_leaves_its_parents_workers_alone(tmp_path):
    run_script(FORK, make_folder(tmp_path / "photos", images(5)), tmp_path)


@pytest.mark.parametrize("before", [(), ("before",)])
def test_a_convert_while_the_interpreter_shuts_down(tmp_path, before):
    done = run_script(AT_EXIT, make_folder(tmp_path / "photos", images(5)), tmp_path, *before)
    assert done.stdout.split() == ["5"]


EARLY_INTERRUPT = """
import os, signal
from brinery.engine.workers import pool

os.setpgid(0, 0)
signal.signal(signal.SIGINT, lambda *_: None)

def tasks():
    yield -1
    os.killpg(0, signal.SIGINT)
    yield -2

print(sorted(pool.run(abs, tasks(), workers=1)))
"""


def test_a_worker_that_is_starting_does_not_see_an_interrupt():
    done = subprocess.run([sys.executable, "-c", EARLY_INTERRUPT], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[1, 2]\n", "")
