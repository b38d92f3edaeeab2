"""Threads as workers, also where none can be started."""

import threading

import pytest

from brinery.engine.workers.threads import Threads


def half(number):
    return 1 / number


def results(crew, numbers):
    futures = [crew.submit(crew.pack(number)) for number in numbers]
    return [crew.received(future)[0] for future in futures]


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_work_is_done_with_as_many_threads_as_can_be_started(monkeypatch, allowed):
    started = []
    start = threading.Thread.start

    def limited(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    crew = Threads(half, 2)
    assert results(crew, (1, 2, 4)) == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        results(crew, [0])
    crew.close(kill=False)
    assert len(started) == allowed
    assert not any(thread.is_alive() for thread in started)


def test_what_waits_when_threads_are_ended_is_not_done():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(number):
        begun.set()
        go_on.wait()
        done.append(number)

    crew = Threads(work, 1)
    for number in range(3):
        crew.submit(number)
    begun.wait()
    threading.Timer(0.05, go_on.set).start()
    crew.close(kill=True)
    assert done == [0]
