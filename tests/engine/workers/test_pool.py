"""The pool hands back results as they come, from processes or threads."""

import os
import signal
import threading
import time
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from PIL import features

from brinery.engine.workers import pool
from brinery.errors import UsageError, WorkerError
from brinery.parser.decode import decode
from brinery.parser.options import DecodeOptions

from ...images import encoded, pixels


def square(number):
    return number * number, os.getpid(), threading.get_ident()


def slow_square(number):
    time.sleep(0.05)
    return square(number)


def die(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def all_started(workers, backend="loky"):
    """The processes of a pool; one may do all tasks before another has started."""
    pids = set()
    while len(pids) < (workers if backend == "loky" else 1):
        pids |= {pid for _, pid, _ in pool.run(slow_square, range(8), workers=workers, backend=backend)}
    return pids


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_once(backend, workers):
    all_started(workers, backend)
    results = list(pool.run(slow_square, range(12), workers=workers, backend=backend))
    assert sorted(result for result, _, _ in results) == [n * n for n in range(12)]
    assert len({(pid, thread) for _, pid, thread in results}) == workers
    assert (os.getpid() in {pid for _, pid, _ in results}) == (backend == "threading")


def avif_threads(data):
    plugin = import_module("PIL.AvifImagePlugin")
    assert len(list(decode(data, DecodeOptions()))) == 1
    return plugin._get_default_max_threads()


def test_a_worker_decodes_avif_with_one_thread():
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    assert list(pool.run(avif_threads, [encoded(pixels(0), "AVIF")], workers=1)) == [1]


def test_workers_stay_warm_for_the_next_call():
    first = all_started(2)
    second = {pid for _, pid, _ in pool.run(slow_square, range(8), workers=2)}
    assert first == second


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="joblib makes its folders in /dev/shm where it is")
def test_warm_calls_leave_nothing_behind():
    for workers in (1, 2):
        for _ in range(3):
            before = set(Path("/dev/shm").glob(f"joblib_*_{os.getpid()}_*"))
            list(pool.run(square, range(4), workers=workers))
        assert set(Path("/dev/shm").glob(f"joblib_*_{os.getpid()}_*")) == before


def test_processes_that_someone_else_ended_are_replaced():
    list(pool.run(square, range(4), workers=2))
    pool.shutdown()
    assert len(list(pool.run(square, range(4), workers=2))) == 4


def test_tasks_are_drawn_as_workers_need_them():
    drawn = []

    def tasks():
        for number in range(100):
            drawn.append(number)
            yield number

    results = pool.run(slow_square, tasks(), workers=2, ahead=2)
    next(results)
    assert len(drawn) < 20
    results.close()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_consumer_slower_than_its_workers_holds_them_back(backend):
    all_started(2, backend)
    drawn, taken, ahead = [], 0, []

    def tasks():
        for number in range(200):
            drawn.append(number)
            yield number

    for batch in pool.run_batches(square, tasks(), workers=2, backend=backend, pace=pool.Pace(ahead=2)):
        time.sleep(0.01)
        taken += len(batch)
        ahead.append(len(drawn) - taken)
    assert taken == 200
    assert max(ahead) <= 8  # 4 under way, and as many that wait


def megabyte(number):
    return bytes(1 << 20)


def test_large_results_do_not_pile_up_in_one_batch():
    all_started(2)
    for batch in pool.run_batches(megabyte, range(12), workers=2):
        assert len(batch) == 1
        time.sleep(0.05)


def test_tasks_that_end_late_end_the_run():
    def tasks():
        yield from range(3)
        time.sleep(0.3)  # all results have come

    assert len(list(pool.run(square, tasks(), workers=1, ahead=4))) == 3
    assert list(pool.run(square, (), workers=1)) == []


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("good", [0, 1, 20])
def test_an_error_in_the_listing_comes_after_the_results_before_it(backend, good):
    def tasks():
        yield from range(good)
        raise OSError("the archive ended early")

    results = []
    with pytest.raises(OSError, match="ended early"):
        results.extend(pool.run(square, tasks(), workers=2, backend=backend))
    assert len(results) in (0, good)


def test_results_that_came_while_the_consumer_was_busy_come_together():
    sizes = []
    for batch in pool.run_batches(square, range(40), workers=2):
        sizes.append(len(batch))
        time.sleep(0.05)
    assert sum(sizes) == 40
    assert max(sizes) > 1


def test_closing_kills_the_workers():
    results = pool.run(slow_square, range(1000), workers=2)
    _, pid, _ = next(results)
    results.close()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(pid)
    assert len(list(pool.run(square, range(4), workers=2))) == 4


def tasks_that_outlast_a_worker():
    """The third task is drawn when the pool has seen that the first two were their workers' last."""
    yield from (3, 3)
    time.sleep(0.5)
    yield from (5, 6)


def test_a_worker_that_dies_while_the_first_tasks_are_handed_out_is_the_same_error():
    all_started(2)
    with pytest.raises(WorkerError, match="same command again"):
        list(pool.run(die, tasks_that_outlast_a_worker(), workers=2))
    assert len(list(pool.run(square, range(4), workers=2))) == 4


def test_a_worker_that_dies_is_an_error_with_a_remedy():
    with pytest.raises(WorkerError, match="same command again"):
        list(pool.run(die, range(6), workers=2))
    assert len(list(pool.run(square, range(4), workers=2))) == 4


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="1 or more"):
        list(pool.run(square, [1], workers=0))
    with pytest.raises(UsageError, match="loky, threading"):
        list(pool.run(square, [1], workers=1, backend="mpi"))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_no_task_is_drawn_beside_others_while_there_is_no_room(backend):
    drawn, taken, most = [], [], 0

    def tasks():
        for number in range(12):
            drawn.append(number)
            yield number

    batches = pool.run_batches(
        slow_square,
        tasks(),
        workers=2,
        backend=backend,
        pace=pool.Pace(ready=lambda: len(drawn) - len(taken) < 2),
    )
    for batch in batches:
        taken += batch
        most = max(most, len(drawn) - len(taken))
    assert sorted(result for result, _, _ in taken) == [n * n for n in range(12)]
    assert most <= 2
