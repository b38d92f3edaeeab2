"""Tasks are handed out a few at a time, whatever the workers and the consumer do."""

from concurrent.futures import Future

import pytest

from brinery.engine.workers.dispatch import Calls
from brinery.errors import NoProcessesError


class ByHand:
    """A crew whose results come when the test says so."""

    def __init__(self):
        self.given = []

    def pack(self, task):
        return task

    def submit(self, task):
        self.given.append((task, Future()))
        return self.given[-1][1]

    def received(self, future):
        return future.result(), 0

    def close(self, *, kill):
        pass

    def finish(self, number, error=None):
        task, future = self.given[number]
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(task * 10)

    @property
    def tasks(self):
        return [task for task, _ in self.given]


def test_no_more_are_out_than_may_be_under_way():
    crew = ByHand()
    calls = Calls(crew, range(100))
    calls.feed(3)
    assert crew.tasks == [0, 1, 2]
    crew.finish(1)
    assert crew.tasks == [0, 1, 2, 3]  # the thread that brought it drew the next
    assert next(calls.batches(None)) == [10]


def test_results_that_nobody_takes_hold_the_tasks_back():
    crew = ByHand()
    calls = Calls(crew, range(100))
    calls.feed(2)
    for number in range(4):
        if number < len(crew.given):
            crew.finish(number)
    assert len(crew.tasks) == 4  # as many wait as may be under way, and no other is drawn
    results = calls.batches(None)
    assert next(results) == [0]
    assert len(crew.tasks) == 5


def test_an_error_comes_behind_the_results_before_it():
    crew = ByHand()
    calls = Calls(crew, range(3))
    calls.feed(3)
    crew.finish(0)
    crew.finish(1, ValueError("broken"))
    results = calls.batches(gather=0)
    assert next(results) == [0]
    with pytest.raises(ValueError, match="broken"):
        next(results)


def test_an_error_of_the_listing_ends_the_tasks_and_is_kept():
    def listing():
        yield 1
        raise OSError("no such archive")

    crew = ByHand()
    calls = Calls(crew, listing())
    calls.feed(5)
    assert calls.exhausted
    assert str(calls.error) == "no such archive"
    crew.finish(0)
    assert list(calls.batches(None)) == [[10]]


def test_a_worker_that_died_when_it_was_asked_is_an_error_of_its_task():
    class Dying(ByHand):
        def submit(self, task):
            if task == 1:
                raise BrokenPipeError("gone")
            return super().submit(task)

    calls = Calls(Dying(), range(2))
    calls.feed(2)
    with pytest.raises(BrokenPipeError, match="gone"):
        next(calls.batches(None))


def test_where_there_is_no_crew_that_is_said_at_once():
    class Nobody(ByHand):
        def submit(self, _):
            raise NoProcessesError("none here")

    with pytest.raises(NoProcessesError, match="none here"):
        Calls(Nobody(), range(2)).feed(1)


def test_more_is_drawn_only_when_that_is_allowed():
    allowed = []
    crew = ByHand()
    calls = Calls(crew, range(10), ready=lambda: bool(allowed))
    calls.feed(4)
    assert crew.tasks == [0]  # one is always given, or nothing would ever come
    allowed.append(True)
    calls.feed()
    assert crew.tasks == [0, 1, 2, 3]


def test_after_stop_nothing_is_drawn():
    crew = ByHand()
    calls = Calls(crew, range(10))
    calls.feed(1)
    calls.stop()
    crew.finish(0)
    assert crew.tasks == [0]
    assert list(calls.batches(None)) == [[0]]


def test_whoever_waits_for_results_is_told_that_there_is_none_yet():
    crew = ByHand()
    calls = Calls(crew, range(1))
    calls.feed(2)
    results = calls.batches(None, pulse=0.001)
    assert [next(results), next(results)] == [[], []]
    crew.finish(0)
    assert [batch for batch in results if batch] == [[0]]
